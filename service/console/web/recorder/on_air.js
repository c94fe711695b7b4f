/** A sign that this tab records, while another view is shown. */

const ID = "on-air";

/**
 * Show it with the recording's time; null: nothing is recorded, or the view of the recording is shown.
 * @param {string | null} text
 */
export function showOnAir(text) {
  const shown = document.getElementById(ID);
  if (text === null) return shown?.remove();
  const link = (shown ?? made()).querySelector("a");
  if (link) link.textContent = text;
}

function made() {
  const sign = document.createElement("aside");
  sign.id = ID;
  sign.setAttribute("aria-label", "Recording");
  const link = document.createElement("a");
  link.href = "/console/record";
  sign.append(link);
  document.body.append(sign);
  return sign;
}
