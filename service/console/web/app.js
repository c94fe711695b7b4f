/**
 * The application: who is signed in, which view is shown, and when it is drawn.
 *
 * `app.key` is the key that is signed in, and `app.allows(scope)` says whether it may do something: what it may not is
 * not shown. A view is a class with
 * - `constructor(app, parameters)`: parameters are what its path names;
 * - `title`: the page's title and heading;
 * - `start()`: begins to load; it calls `app.update()` whenever there is something new to draw;
 * - `stop()`: ends what it began, when another view is shown;
 * - `template()`: what to draw, as a lit-html template. Values in it are always text, never markup.
 */

import { Api } from "./api.js";
import { keepingFocus } from "./focus.js";
import { deskOf } from "./recorder/desk.js";
import { SECRET } from "./scopes.js";
import { isSignInLink, signInCode, signedInKey, signIn, signOut, tradeCode } from "./session.js";
import { html, nothing, render } from "./vendor/lit-html/lit-html.js";
import { KeysView } from "./views/keys.js";
import { NotFoundView } from "./views/not_found.js";
import { OperationsView } from "./views/operations.js";
import { RecordView } from "./views/record.js";
import { RecordingView } from "./views/recording.js";
import { RecordingsView } from "./views/recordings.js";
import { SearchView } from "./views/search.js";
import { SessionView } from "./views/session.js";
import { SessionsView } from "./views/sessions.js";
import { SignInView } from "./views/sign_in.js";
import { WebhookView } from "./views/webhook.js";
import { WebhooksView } from "./views/webhooks.js";

/** Path -> view. Groups of a path are the view's parameters. A new view is one more line here. */
const ROUTES = [
  [/^\/console\/?$/, RecordingsView],
  [/^\/console\/record$/, RecordView],
  [/^\/console\/recordings\/(?<id>rec_[A-Za-z0-9]+)$/, RecordingView],
  [/^\/console\/search$/, SearchView],
  [/^\/console\/webhooks$/, WebhooksView],
  [/^\/console\/webhooks\/(?<id>wh_[A-Za-z0-9]+)$/, WebhookView],
  [/^\/console\/keys$/, KeysView],
  [/^\/console\/operations$/, OperationsView],
  [/^\/console\/sessions$/, SessionsView],
  [/^\/console\/sessions\/(?<id>ses_[A-Za-z0-9]+)$/, SessionView],
];

/** The views in the navigation: address, name, and the scope without which a key cannot use it. */
const NAVIGATION = [
  ["/console", "Recordings", "recordings:read"],
  ["/console/record", "Record", "recordings:write"],
  ["/console/search", "Search", "recordings:read"],
  ["/console/operations", "Operations", "operations:read"],
  ["/console/sessions", "Sessions", "recordings:read"],
  ["/console/webhooks", "Webhooks", "webhooks:read"],
  ["/console/keys", "Keys", SECRET],
];

/** A key of which nothing could be learnt is shown everything: the service decides at each request. */
const UNKNOWN = { kind: "secret", scopes: [] };

export class App {
  #drawing = false;
  #view = null;
  #desk = null;

  constructor(root) {
    this.root = root;
    this.api = null;
    this.key = null; // as GET /v1/keys/current tells it; null until it has
    this.problem = null;
  }

  async start() {
    addEventListener("popstate", () => this.#show());
    addEventListener("hashchange", () => isSignInLink() && location.reload()); // a link that signs in, opened in this tab
    document.addEventListener("click", (event) => this.#follow(event));
    const code = signInCode();
    if (code !== null) await this.#tryCode(code);
    this.#useKey(signedInKey());
    this.#show();
  }

  /** Draw the view at the next frame. */
  update() {
    if (this.#drawing) return;
    this.#drawing = true;
    requestAnimationFrame(() => {
      this.#drawing = false;
      this.#draw();
    });
  }

  /** Show the view of a path, as if its link had been clicked. */
  go(path) {
    history.pushState(null, "", path);
    this.#show();
  }

  /** Tell a screen reader what has changed. */
  announce(text) {
    document.getElementById("announcements").textContent = text;
  }

  /** Whether the key that is signed in has a scope, or is a secret key, which has all. */
  allows(scope) {
    return this.key !== null && (this.key.kind === "secret" || this.key.scopes.includes(scope));
  }

  /** Sign in with a key. Throws ApiError if the service does not know it, or it is none for people. */
  async signIn(key) {
    await new Api(key).get("/v1/keys/current");
    signIn(key);
    this.#useKey(key);
    this.#show();
  }

  signOut() {
    signOut();
    this.api = null;
    history.pushState(null, "", "/console");
    this.#show();
  }

  async #tryCode(code) {
    try {
      signIn(await tradeCode(code));
    } catch (error) {
      this.problem = error.message;
    }
  }

  #useKey(key) {
    const api = key === null ? null : new Api(key, { onUnauthorized: () => this.#refused(api) });
    this.api = api;
    this.key = null;
    this.#desk = null;
  }

  /** A key was revoked, or has ended. One that is not signed in any more changes nothing. */
  #refused(api) {
    if (this.api !== api) return;
    const wasRecording = Boolean(this.#desk?.session);
    this.signOut();
    const kept = wasRecording ? " The recording has stopped; what was recorded is kept in this browser." : "";
    this.problem = `This key is not valid any more: you are signed out.${kept}`;
    this.update();
  }

  async #learnKey() {
    const api = this.api;
    const key = await api.get("/v1/keys/current").catch(() => UNKNOWN); // the view's own requests tell what is wrong
    if (this.api !== api) return;
    this.key = key;
    if (this.allows("recordings:write")) this.#desk = deskOf(this); // what an earlier page left goes on from any view
    this.update();
  }

  #show() {
    this.#view?.stop();
    if (this.api !== null && (this.key === null || this.key === UNKNOWN)) this.#learnKey();
    this.#view = this.api === null ? new SignInView(this) : this.#viewOf(location.pathname);
    this.#view.start();
    this.#draw();
    this.root.querySelector("h1")?.focus({ preventScroll: true });
    scrollTo(0, 0);
  }

  #viewOf(path) {
    for (const [pattern, View] of ROUTES) {
      const found = pattern.exec(path);
      if (found) return new View(this, found.groups ?? {});
    }
    return new NotFoundView(this);
  }

  #draw() {
    document.title = `${this.#view.title} – tapedeck`;
    const keepsItsOwn = this.#view instanceof RecordView && !document.activeElement?.closest(".uploads");
    keepingFocus(
      () => render(this.#template(), this.root),
      () => (keepsItsOwn ? null : this.root.querySelector("h1")),
    );
  }

  #template() {
    return html`
      <a class="skip" href="#main" @click=${(event) => this.#skip(event)}>Skip to content</a>
      <header class="bar">
        <a class="brand" href="/console">tapedeck</a>
        ${this.api === null ? nothing : this.#navigation()}
      </header>
      <main id="main" tabindex="-1">
        <h1 tabindex="-1">${this.#view.title}</h1>
        ${this.#view instanceof RecordView ? nothing : this.#unfinished()}
        ${this.#view.template()}
      </main>
    `;
  }

  #navigation() {
    const link = ([path, name]) =>
      html`<a href=${path} aria-current=${location.pathname === path ? "page" : nothing}>${name}</a>`;
    return html`
      <nav aria-label="Main">${NAVIGATION.filter(([, , scope]) => this.allows(scope)).map(link)}</nav>
      <button class="quiet" @click=${() => this.signOut()}>Sign out</button>
    `;
  }

  /** That something recorded in this browser waits for a decision. */
  #unfinished() {
    const count = this.api === null ? 0 : (this.#desk?.uploads.filter((one) => one.isWaiting).length ?? 0);
    if (count === 0) return nothing;
    const what = count === 1 ? "A recording in this browser is" : `${count} recordings in this browser are`;
    return html`<p class="note" role="status">${what} not finished. <a href="/console/record">Go on, finish or discard</a></p>`;
  }

  /** To the content, without the fragment in the address: the view would be shown anew. */
  #skip(event) {
    event.preventDefault();
    this.root.querySelector("#main").focus();
  }

  /** A click on a link to another view changes the view, not the page. */
  #follow(event) {
    const link = event.target.closest?.("a[href]");
    const isPlain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
    if (!link || !isPlain || event.defaultPrevented || link.target || link.hasAttribute("download")) return;
    const url = new URL(link.href);
    if (url.origin !== location.origin || !/^\/console(\/|$)/.test(url.pathname) || url.hash) return;
    event.preventDefault();
    this.go(url.pathname + url.search);
  }
}

new App(document.getElementById("app")).start();
