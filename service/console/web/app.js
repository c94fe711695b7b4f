/**
 * The application: who is signed in, which view is shown, and when it is drawn.
 *
 * A view is a class with
 * - `constructor(app, parameters)`: parameters are what its path names;
 * - `title`: the page's title and heading;
 * - `start()`: begins to load; it calls `app.update()` whenever there is something new to draw;
 * - `stop()`: ends what it began, when another view is shown;
 * - `template()`: what to draw, as a lit-html template. Values in it are always text, never markup.
 */

import { Api, ApiError } from "./api.js";
import { signInCode, signedInKey, signIn, signOut, tradeCode } from "./session.js";
import { html, nothing, render } from "./vendor/lit-html/lit-html.js";
import { NotFoundView } from "./views/not_found.js";
import { RecordView } from "./views/record.js";
import { RecordingView } from "./views/recording.js";
import { RecordingsView } from "./views/recordings.js";
import { SignInView } from "./views/sign_in.js";

/** Path -> view. Groups of a path are the view's parameters. A new view is one more line here. */
const ROUTES = [
  [/^\/console\/?$/, RecordingsView],
  [/^\/console\/record$/, RecordView],
  [/^\/console\/recordings\/(?<id>rec_[A-Za-z0-9]+)$/, RecordingView],
];

/** The views in the navigation: address, name, and the scope without which a key cannot use it. */
const NAVIGATION = [
  ["/console", "Recordings", "recordings:read"],
  ["/console/record", "Record", "recordings:write"],
];

export class App {
  #drawing = false;
  #view = null;

  constructor(root) {
    this.root = root;
    this.api = null;
    this.problem = null;
  }

  async start() {
    addEventListener("popstate", () => this.#show());
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

  /** Sign in with a key. Throws ApiError if the service does not know it. */
  async signIn(key) {
    await new Api(key).get("/v1/recordings?limit=1").catch((error) => {
      if (!(error instanceof ApiError) || error.status !== 403) throw error; // a key that may not read is a key
    });
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
    this.api = key === null ? null : new Api(key, { onUnauthorized: () => this.signOut() });
  }

  #show() {
    this.#view?.stop();
    this.#view = this.api === null ? new SignInView(this) : this.#viewOf(location.pathname);
    document.title = `${this.#view.title} – tapedeck`;
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
    render(
      html`
        <a class="skip" href="#main">Skip to content</a>
        <header class="bar">
          <a class="brand" href="/console">tapedeck</a>
          ${this.api === null ? nothing : this.#navigation()}
        </header>
        <main id="main" tabindex="-1">
          <h1 tabindex="-1">${this.#view.title}</h1>
          ${this.#view.template()}
        </main>
      `,
      this.root,
    );
  }

  #navigation() {
    const link = ([path, name]) =>
      html`<a href=${path} aria-current=${location.pathname === path ? "page" : nothing}>${name}</a>`;
    return html`
      <nav aria-label="Main">${NAVIGATION.map(link)}</nav>
      <button class="quiet" @click=${() => this.signOut()}>Sign out</button>
    `;
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
