/* Elements without markup: whatever text they get is text. */

export function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

export function button(text, onClick, title = "") {
  const made = element("button", { type: "button", textContent: text, title });
  made.addEventListener("click", onClick);
  return made;
}

/* Puts a text into the clipboard, also where the page came by plain HTTP. */
export async function copy(text) {
  if (navigator.clipboard) {
    await navigator.clipboard.writeText(text);
    return;
  }
  const field = element("textarea", { value: text });
  document.body.append(field);
  field.select();
  document.execCommand("copy");
  field.remove();
}

/* A box of a colour: an attribute of SVG, as a policy without styles lets pass. */
export function swatch(color) {
  const space = "http://www.w3.org/2000/svg";
  const box = document.createElementNS(space, "svg");
  const fill = document.createElementNS(space, "rect");
  for (const [name, value] of [["width", "12"], ["height", "12"], ["fill", color]]) fill.setAttribute(name, value);
  box.append(fill);
  return box;
}
