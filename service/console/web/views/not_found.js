import { html } from "../vendor/lit-html/lit-html.js";

export class NotFoundView {
  title = "Not found";

  start() {}

  stop() {}

  template() {
    return html`<p>There is nothing at this address. <a href="/console">All recordings</a></p>`;
  }
}
