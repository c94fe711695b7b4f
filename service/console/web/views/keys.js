/** The project's keys: list them, make one, whose token is shown once, and revoke one. */

import { confirmed } from "../asking.js";
import { time } from "../format.js";
import { problem } from "../parts.js";
import { RefreshedView } from "../refreshing.js";
import { shownOnce } from "../shown_once.js";
import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { repeat } from "../vendor/lit-html/directives/repeat.js";

const EVERY_MS = 10_000;
const PAGE = 50;
const DAY_MS = 86_400_000;
const LIVES = [["", "never"], ["1", "in a day"], ["7", "in a week"], ["30", "in 30 days"], ["365", "in a year"]];

export class KeysView extends RefreshedView {
  title = "Keys";
  #app;
  #keys = null;
  #cursor = null;
  #nextCursor = null;
  #made = null;
  #kind = "restricted";
  #isSaving = false;
  #formProblem = null;

  constructor(app) {
    super(app, EVERY_MS);
    this.#app = app;
  }

  template() {
    return html`
      <p class="lead">Who may call the service for this project. The tokens of devices are not among them.</p>
      ${problem(this.problem)} ${this.#token()} ${this.#list()} ${this.#keys === null ? nothing : this.#form()}
    `;
  }

  #token() {
    if (this.#made === null) return nothing;
    return shownOnce(this.#app, {
      name: this.#made.name ? `New key “${this.#made.name}”` : "New key",
      advice: "Copy it to where it is needed. It is shown this once.",
      value: this.#made.token,
      onDone: () => {
        this.#made = null;
        this.#app.update();
      },
    });
  }

  #list() {
    if (this.#keys === null) return this.problem ? nothing : html`<p>Loading…</p>`;
    return html`
      <table class="list stacked">
        <thead><tr><th scope="col">Key</th><th scope="col">State</th><th scope="col">May</th>
          <th scope="col">Made</th><th scope="col"><span class="unseen">Actions</span></th></tr></thead>
        <tbody>${repeat(this.#keys, (one) => one.id, (one) => this.#row(one))}</tbody>
      </table>
      <div class="row">
        ${this.#cursor ? html`<button @click=${() => this.#turnTo(null)}>Newest</button>` : nothing}
        ${this.#nextCursor ? html`<button @click=${() => this.#turnTo(this.#nextCursor)}>Older</button>` : nothing}
      </div>
    `;
  }

  #row(one) {
    return html`
      <tr>
        <td>${one.name || "Without a name"} <code>${one.id}</code>
          ${one.is_current ? html`<strong>this tab’s key</strong>` : nothing}</td>
        <td>${stateOf(one)}</td>
        <td class=${one.kind === "restricted" ? "names" : "words"}>${mayDo(one)}</td>
        <td>${time(one.created_at)}</td>
        <td>${one.revoked_at
          ? nothing
          : html`<button class="small" aria-label="Revoke ${one.name || one.id}" @click=${() => this.#revoke(one)}>
              Revoke</button>`}</td>
      </tr>
    `;
  }

  #form() {
    const kind = (value, word) => html`
      <label class="choice"><input type="radio" name="kind" value=${value} .checked=${this.#kind === value}
        @change=${() => this.#choose(value)}> ${word}</label>
    `;
    return html`
      <details class="card new">
        <summary>New key</summary>
        <form @submit=${(event) => this.#create(event)}>
          ${problem(this.#formProblem)}
          <label for="name">Name</label>
          <input id="name" name="name" maxlength="100" autocomplete="off" placeholder="what it is for">
          <fieldset><legend>It may do</legend>
            ${kind("restricted", "what is chosen below")} ${kind("secret", "everything in the project, also make keys")}
          </fieldset>
          ${this.#kind === "restricted" ? this.#scopes() : nothing}
          <label for="life">It expires</label>
          <select id="life" name="life">${LIVES.map(([days, word]) => html`<option value=${days}>${word}</option>`)}</select>
          <button class="main" ?disabled=${this.#isSaving}>Make the key</button>
        </form>
      </details>
    `;
  }

  #scopes() {
    const byWhat = Object.groupBy(this.#app.key?.scopes ?? [], (scope) => scope.split(":")[0]);
    const box = (scope) => html`
      <label class="choice"><input type="checkbox" name="scopes" value=${scope}> <code>${scope}</code></label>
    `;
    const group = ([what, scopes]) => html`<fieldset><legend>${titleOf(what)}</legend>${scopes.map(box)}</fieldset>`;
    return html`<div class="choices">${Object.entries(byWhat).map(group)}</div>`;
  }

  async load() {
    const cursor = this.#cursor;
    const after = cursor === null ? "" : `&cursor=${encodeURIComponent(cursor)}`;
    const page = await this.#app.api.get(`/v1/keys?limit=${PAGE}${after}`, { signal: this.ended.signal });
    if (cursor !== this.#cursor) return; // another page was turned to meanwhile, and is loaded next
    this.#keys = page.data;
    this.#nextCursor = page.next_cursor;
  }

  #choose(kind) {
    this.#kind = kind;
    this.#app.update();
  }

  #turnTo(cursor) {
    this.#cursor = cursor;
    this.refreshing.soon();
  }

  async #create(event) {
    event.preventDefault();
    const form = event.target;
    this.#isSaving = true;
    this.#formProblem = null;
    this.#app.update();
    try {
      const options = { signal: this.ended.signal };
      this.#made = await this.#app.api.send("POST", "/v1/keys", asked(new FormData(form)), options);
      form.reset();
      this.#kind = "restricted";
      form.closest("details").open = false;
      this.#app.announce("The key is made. Copy its token.");
      this.refreshing.soon();
    } catch (error) {
      if (this.ended.signal.aborted) return;
      this.#formProblem = error.message;
    }
    this.#isSaving = false;
    this.#app.update();
  }

  async #revoke(one) {
    const { signal } = this.ended;
    const isSure = await confirmed({
      question: `Revoke ${one.name || one.id}?`,
      consequence: one.is_current
        ? "It is the key that you are signed in with: you are signed out. Whoever uses it is refused from now on. If it " +
          "is the project's last secret key, only the command line on the server makes another."
        : "Whoever uses it is refused from now on, and the upload and download addresses that it made are void.",
      yes: "Revoke",
      signal,
    });
    if (!isSure) return;
    try {
      const even = one.is_current ? "?own=true" : "";
      await this.#app.api.send("DELETE", `/v1/keys/${one.id}${even}`, undefined, { signal });
      if (one.is_current) return this.#app.signOut();
      this.#app.announce("The key is revoked.");
      this.refreshing.soon();
    } catch (error) {
      if (!signal.aborted) this.show(error);
    }
  }
}

/** The request for what a form says. */
function asked(form) {
  const [kind, name, days] = [form.get("kind"), form.get("name").trim(), form.get("life")];
  return {
    kind,
    ...(kind === "restricted" ? { scopes: form.getAll("scopes") } : {}),
    ...(name ? { name } : {}),
    ...(days ? { expires_at: new Date(Date.now() + Number(days) * DAY_MS).toISOString() } : {}),
  };
}

function stateOf(key) {
  if (key.revoked_at) {
    return html`<span class="state"><span aria-hidden="true">✕</span> revoked ${time(key.revoked_at)}</span>`;
  }
  if (key.expires_at && new Date(key.expires_at) <= Date.now()) {
    return html`<span class="state"><span aria-hidden="true">○</span> expired ${time(key.expires_at)}</span>`;
  }
  const until = key.expires_at ? ` until ${time(key.expires_at)}` : "";
  return html`<span class="state good"><span aria-hidden="true">●</span> in force${until}</span>`;
}

function mayDo(key) {
  if (key.kind === "secret") return "everything";
  if (key.kind === "client") return "say which client calls";
  return key.kind === "upload" ? "upload to one recording" : key.scopes.join(", ");
}

function titleOf(what) {
  const words = what.replaceAll("_", " ");
  return words[0].toUpperCase() + words.slice(1);
}
