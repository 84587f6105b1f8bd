// biome-ignore-all lint/correctness/noUnusedVariables: the scripts are joined into one; later ones use these
// Shared by all sections: data, element builders, number formats, downloads, tooltip, theme.
const DATA = JSON.parse(document.getElementById("data").textContent);
const SCALE = DATA.scale; // fractions are stored as whole numbers of 1 / SCALE
const PAGE = 25;
const MAX_PRINTED = 500; // rows of a long list
const byId = (id) => document.getElementById(id);

function make(tag, options = {}, ...children) {
  const { text, ...attributes } = options;
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  if (text !== undefined) element.textContent = text;
  element.append(...children);
  return element;
}

function svgElement(tag, attributes = {}, text) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text !== undefined) element.textContent = text;
  return element;
}

const integer = (value) => value.toLocaleString("en");
const percent = (value) => `${((100 * value) / SCALE).toFixed(1)}%`;
const MISSING = "–";
// A number in a table: commas between thousands, three decimals; as `table_cell` of the report's Python.
function number(value, decimals) {
  if (value === null || value === undefined) return MISSING;
  if (decimals === 0) return integer(value);
  const smallest = 10 ** -decimals;
  if (value !== 0 && Math.abs(value) < smallest) return value > 0 ? `<${smallest}` : `>−${smallest}`;
  const format = { minimumFractionDigits: decimals, maximumFractionDigits: decimals };
  return value.toLocaleString("en", format).replace("-", "−");
}
const clear = (element) => element.replaceChildren();

function fillSelect(select, names) {
  select.append(...names.map((name, i) => make("option", { value: i, text: name })));
}

function after(delay, call) {
  let timer;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(call, delay);
  };
}

// ---- downloads: files made in the page ----
function save(name, text, type) {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const link = make("a", { href: url, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
}

const saveTsv = (name, rows) =>
  save(
    `${name}.tsv`,
    rows.map((row) => row.map((v) => String(v ?? "").replace(/[\t\r\n]+/g, " ")).join("\t")).join("\n") +
      "\n",
    "text/tab-separated-values",
  );

// A downloaded SVG has no stylesheet: the values of CSS variables and the background are written into it.
function saveSvg(name, source) {
  const copy = source.cloneNode(true);
  const originals = [source, ...source.querySelectorAll("*")];
  [copy, ...copy.querySelectorAll("*")].forEach((element, i) => {
    if (!element.outerHTML.split(">", 1)[0].includes("var(")) return;
    const style = getComputedStyle(originals[i]);
    for (const property of ["fill", "stroke"]) {
      if (element.hasAttribute(property)) element.setAttribute(property, style[property]);
      if (element.style[property]) element.style[property] = style[property];
    }
  });
  const [, , width, height] = copy.getAttribute("viewBox").split(" ").map(Number);
  copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  copy.setAttribute("width", width);
  copy.setAttribute("height", height);
  copy.setAttribute("font-family", "Arial, Helvetica, sans-serif");
  copy.prepend(
    svgElement("rect", { width, height, fill: getComputedStyle(byId("verdict")).backgroundColor }),
  );
  save(`${name}.svg`, new XMLSerializer().serializeToString(copy), "image/svg+xml");
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  const { svg, tsv, table, copy } = button.dataset;
  if (svg) saveSvg(svg, byId(`figure-${svg}`).querySelector("svg"));
  if (tsv) save(`${tsv}.tsv`, DATA.tsv[tsv], "text/tab-separated-values");
  if (table) {
    const rows = [...document.querySelector(`table[data-name="${table}"]`).rows];
    saveTsv(
      table,
      rows.map((row) => [...row.cells].map((cell) => cell.dataset.value ?? cell.textContent.trim())),
    );
  }
  if (copy) {
    const range = document.createRange();
    range.selectNodeContents(byId(copy));
    getSelection().removeAllRanges();
    getSelection().addRange(range);
    document.execCommand("copy"); // unlike the clipboard API, works for a page opened from disk
    button.textContent = "Copied";
  }
});

// ---- one tooltip ----
const tip = byId("tip");
function showTip(text, x, y) {
  tip.textContent = text;
  tip.hidden = false;
  const box = tip.getBoundingClientRect();
  tip.style.left = `${Math.max(4, Math.min(x + 14, innerWidth - box.width - 8))}px`;
  tip.style.top = `${y + 18 + box.height > innerHeight ? y - box.height - 10 : y + 18}px`;
}
const hideTip = () => (tip.hidden = true);
document.addEventListener("keydown", (event) => event.key === "Escape" && hideTip());
addEventListener("scroll", hideTip, { passive: true });

// ---- light or dark: follows the system unless chosen ----
const THEMES = ["Auto", "Light", "Dark"];
byId("theme").addEventListener("click", ({ currentTarget }) => {
  const label = currentTarget.querySelector("span");
  const next = THEMES[(THEMES.indexOf(label.textContent) + 1) % THEMES.length];
  label.textContent = next;
  if (next === "Auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = next.toLowerCase();
});

// ---- pages of a long list ----
function showPages(place, { page, total, go, all }) {
  clear(place);
  const last = Math.max(0, Math.ceil(total / PAGE) - 1);
  if (last === 0) return;
  const step = (text, to, label) => {
    const button = make("button", {
      type: "button",
      text,
      "aria-label": label,
      disabled: to < 0 || to > last || to === page,
    });
    button.addEventListener("click", () => {
      go(to);
      const again = place.querySelector(`[aria-label="${label}"]`);
      (again.disabled ? place.querySelector("button:enabled") : again).focus();
    });
    return button;
  };
  const shown = all
    ? `all ${integer(total)}`
    : `${integer(page * PAGE + 1)}–${integer(Math.min(total, (page + 1) * PAGE))} of ${integer(total)}`;
  place.append(
    step("«", 0, "First page"),
    step("‹", page - 1, "Previous page"),
    make("span", { text: shown, role: "status" }),
    step("›", page + 1, "Next page"),
    step("»", last, "Last page"),
  );
}

// ---- tables that sort by a click on a heading ----
const comparable = ({ dataset, textContent }) =>
  dataset.value === undefined ? textContent.toLowerCase() : Number(dataset.value);
const compare = (a, b) =>
  Number.isNaN(a) ? (Number.isNaN(b) ? 0 : -1) : Number.isNaN(b) ? 1 : a < b ? -1 : a > b ? 1 : 0;

function sortableHeading(heading, sort) {
  const button = make("button", { type: "button", text: heading.textContent });
  heading.replaceChildren(button);
  button.addEventListener("click", () => {
    // numbers start with the largest, names with A
    const sorted = heading.getAttribute("aria-sort");
    const ascending = heading.className === "number" ? sorted === "descending" : sorted !== "ascending";
    for (const other of heading.parentElement.children) other.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", ascending ? "ascending" : "descending");
    sort(ascending ? 1 : -1);
  });
}

for (const table of document.querySelectorAll("table.sortable")) {
  [...table.tHead.rows[0].cells].forEach((heading, column) => {
    if (table.tBodies[0].rows[0]?.cells[column].className === "number") heading.className = "number";
    sortableHeading(heading, (sign) => {
      const key = (row) => comparable(row.cells[column]);
      table.tBodies[0].append(...[...table.tBodies[0].rows].sort((a, b) => sign * compare(key(a), key(b))));
    });
  });
}

const flagged = DATA.flags.map((flags) => flags.length > 0);
function matches(text) {
  const wanted = text.trim().toLowerCase();
  return (i) =>
    wanted === "" ||
    DATA.samples[i].toLowerCase().includes(wanted) ||
    DATA.flags[i].some((flag) => flag.includes(wanted));
}
