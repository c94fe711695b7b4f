/** Questions that are asked before something is done that cannot be undone. */

import { html, render } from "./vendor/lit-html/lit-html.js";

/**
 * Whether the person says yes. The signal, which ends a view, ends its question, too: as a no.
 * @param {{question: string, consequence: string, yes: string, signal: AbortSignal}} asked `yes`: the button's name
 * @returns {Promise<boolean>}
 */
export function confirmed({ question, consequence, yes, signal }) {
  return new Promise((resolve) => {
    const dialog = document.createElement("dialog");
    const end = () => dialog.close();
    dialog.className = "ask";
    dialog.setAttribute("aria-labelledby", "question");
    dialog.setAttribute("aria-describedby", "consequence");
    dialog.addEventListener("close", () => {
      signal.removeEventListener("abort", end);
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
    render(
      html`
        <h2 id="question">${question}</h2>
        <p id="consequence">${consequence}</p>
        <div class="row end">
          <button autofocus @click=${() => dialog.close("no")}>Cancel</button>
          <button class="danger" @click=${() => dialog.close("yes")}>${yes}</button>
        </div>
      `,
      dialog,
    );
    signal.addEventListener("abort", end, { once: true });
    document.body.append(dialog);
    dialog.showModal();
  });
}
