"use strict";
const find = (id) => document.getElementById(id);
const drop = find("drop"), image = find("image"), answer = find("answer");
const { maxBytes, maxMib } = document.body.dataset;
let latest = 0;  // the number of the latest request: answers to earlier ones are not shown

function make(name, className, text = "") {
  const made = document.createElement(name);
  made.className = className;
  made.textContent = text;  // never as HTML
  return made;
}

function say(text, className) {
  answer.replaceChildren(make("p", className, text));
}

function bars(title, answers) {
  const list = make("ul", "bars");
  for (const { label, superclass, probability } of answers) {
    const row = make("li", ""), name = make("span", "label", label), bar = make("progress", "");
    if (superclass) name.append(make("span", "quiet", `  ${superclass}`));
    bar.value = probability;
    bar.setAttribute("aria-label", label);
    row.append(name, make("span", "percent", `${(100 * probability).toFixed(1)} %`), bar);
    list.append(row);
  }
  return [make("h2", "", title), list];
}

async function predict(file) {
  const number = ++latest;
  if (image.src) URL.revokeObjectURL(image.src);
  image.src = URL.createObjectURL(file);
  image.hidden = false;
  find("hint").hidden = true;
  if (file.size > maxBytes) {
    say(`The file is larger than ${maxMib} MiB.`, "error");
    return;
  }
  say("Predicting ...", "quiet");
  let shown;
  try {
    const response = await fetch("/predict", { method: "POST", body: file });
    const found = await response.json();
    shown = () => {
      if (!response.ok) return say(found.error, "error");
      const parts = [];
      if (found.fine) parts.push(...bars("Class", found.fine));
      if (found.coarse) parts.push(...bars("Superclass", found.coarse));
      parts.push(make("p", "quiet", `${found.width} x ${found.height} pixels`));
      answer.replaceChildren(...parts);
    };
  } catch (error) {
    shown = () => say("The server does not answer.", "error");
  }
  if (number === latest) shown();
}

image.addEventListener("load", () => image.classList.toggle("small", image.naturalWidth < 256));
image.addEventListener("error", () => { image.hidden = true; find("hint").hidden = false; });
find("file").addEventListener("change", (event) => {
  if (event.target.files.length) predict(event.target.files[0]);
  event.target.value = "";  // so that the same file can be chosen again
});
for (const name of ["dragover", "dragleave", "drop"]) {
  document.addEventListener(name, (event) => {
    event.preventDefault();
    drop.classList.toggle("over", name === "dragover");
    if (name === "drop" && event.dataTransfer.files.length) predict(event.dataTransfer.files[0]);
  });
}
document.addEventListener("paste", (event) => {
  if (event.clipboardData.files.length) predict(event.clipboardData.files[0]);
});
