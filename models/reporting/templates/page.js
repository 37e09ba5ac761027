"use strict";
// Hover and filter of the confusion matrices. The page has the counts: [true class, predicted class, count].
const element = (name, textContent) => Object.assign(document.createElement(name), { textContent });
const tip = Object.assign(document.createElement("div"), { className: "tip", hidden: true });
document.body.append(tip);

for (const figure of document.querySelectorAll("[data-confusion]")) {
  const { names, superclasses, counts } = JSON.parse(figure.querySelector("script").textContent);
  const rows = names.map(() => []);
  for (const [row, column, count] of counts) rows[row].push([column, count]);
  const totals = rows.map((row) => row.reduce((sum, [, count]) => sum + count, 0));
  const percent = (count, row) => `${(100 * count / Math.max(totals[row], 1)).toFixed(1)} %`;
  const image = figure.querySelector("svg image");
  showCells(image, (row, column) => {
    const count = (rows[row].find(([predicted]) => predicted === column) ?? [column, 0])[1];
    const isSame = superclasses !== null && row !== column && superclasses[row] === superclasses[column];
    return [`true: ${names[row]}`, `predicted: ${names[column]}`,
      `${count} of ${totals[row]} (${percent(count, row)})`, ...(isSame ? ["same superclass"] : [])];
  }, names.length);

  const filter = figure.querySelector(".filter");
  if (filter === null) continue;
  const input = filter.querySelector("input"), table = figure.querySelector(".predictions");
  const groups = superclasses ?? [];
  const options = [...new Set([...groups, ...names])];
  filter.querySelector("datalist").append(
    ...options.map((value) => Object.assign(document.createElement("option"), { value })));
  filter.hidden = false;
  const shade = shadeOver(image, names.length);
  input.addEventListener("input", () => {
    const words = input.value.trim().toLowerCase();
    const isExact = options.some((name) => name.toLowerCase() === words);
    const fits = (name) => name !== undefined
      && (isExact ? name.toLowerCase() === words : name.toLowerCase().includes(words));
    const places = [...names.keys()].filter((row) => words !== "" && (fits(names[row]) || fits(groups[row])));
    shade(words === "" ? [] : [...names.keys()].filter((row) => !places.includes(row)));
    table.querySelector("tbody").replaceChildren(...places.slice(0, 50).map((row) => {
      const others = rows[row].filter(([column]) => column !== row).sort((one, other) => other[1] - one[1]);
      const correct = totals[row] - others.reduce((sum, [, count]) => sum + count, 0);
      const mistakes = others.slice(0, 8).map(([column, count]) => `${names[column]} ${percent(count, row)}`);
      const line = document.createElement("tr");
      line.append(element("td", names[row]), element("td", percent(correct, row)), element("td", mistakes.join(", ")));
      return line;
    }));
    table.hidden = places.length === 0;
    filter.querySelector("output").textContent = words === "" ? "" : `${places.length} of ${names.length} classes`;
  });
}

// Show the lines of the cell under the pointer.
function showCells(image, lines, count) {
  image.addEventListener("pointermove", (event) => {
    const box = image.getBoundingClientRect();
    const place = (position, start, length) =>
      Math.min(count - 1, Math.max(0, Math.floor((position - start) / length * count)));
    const row = place(event.clientY, box.top, box.height), column = place(event.clientX, box.left, box.width);
    tip.replaceChildren(...lines(row, column).map((line) => element("div", line)));
    tip.hidden = false;
    tip.style.left = `${Math.max(0, Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8))}px`;
    tip.style.top = `${Math.max(0, Math.min(event.clientY + 14, innerHeight - tip.offsetHeight - 8))}px`;
  });
  image.addEventListener("pointerleave", () => { tip.hidden = true; });
}

// A function that shades the given rows of the matrix.
function shadeOver(image, count) {
  const group = document.createElementNS(image.namespaceURI, "g");
  group.setAttribute("class", "shade");
  group.setAttribute("transform", image.getAttribute("transform") ?? "");
  image.after(group);
  const width = image.width.baseVal.value, height = image.height.baseVal.value / count;
  return (shaded) => group.replaceChildren(...shaded.map((row) => {
    const part = document.createElementNS(image.namespaceURI, "rect");
    for (const [name, value] of Object.entries({ x: 0, y: row * height, width, height })) part.setAttribute(name, value);
    return part;
  }));
}
