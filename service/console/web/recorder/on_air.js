/** A sign that this tab records, while another view is shown. */

const ID = "on-air";

/** Show it with the recording's time; null: nothing is recorded, or the view of the recording is shown. */
export function showOnAir(text) {
  const shown = document.getElementById(ID);
  if (text === null) return shown?.remove();
  const sign = shown ?? made();
  sign.querySelector("a").textContent = text;
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
