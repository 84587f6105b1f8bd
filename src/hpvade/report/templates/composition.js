// Composition of every sample: rows of stacked bars, in pages; above them all samples at a glance.
const composition = { table: 0, sort: "given", page: 0, order: [], all: false };

function cellsOf(table, i) {
  const n = table.types.length;
  return table.fractions.slice(i * n, (i + 1) * n);
}

function interval(table, i, k) {
  if (!table.lower) return "";
  const at = i * table.types.length + k;
  return ` (${percent(table.lower[at])} – ${percent(table.upper[at])})`;
}

function compositionOrder() {
  const table = DATA.tables[composition.table];
  const n = table.types.length;
  const order = composition.sort === "clustered" ? [...DATA.clustered] : DATA.samples.map((_, i) => i);
  if (composition.sort === "name")
    order.sort((a, b) => DATA.samples[a].localeCompare(DATA.samples[b], undefined, { numeric: true }));
  if (composition.sort === "flagged")
    order.sort((a, b) => DATA.flags[b].length - DATA.flags[a].length || a - b);
  if (composition.sort === "group")
    order.sort((a, b) => (DATA.groups[a] ?? "").localeCompare(DATA.groups[b] ?? "") || a - b);
  if (composition.sort.startsWith("type ")) {
    const k = Number(composition.sort.slice(5));
    order.sort((a, b) => table.fractions[b * n + k] - table.fractions[a * n + k] || a - b);
  }
  return order.filter(matches(byId("c-find").value));
}

function barRow(i) {
  const table = DATA.tables[composition.table];
  const values = cellsOf(table, i);
  const bar = make("div", {
    class: "bar",
    role: "img",
    "aria-label": table.types.map((type, k) => `${type} ${percent(values[k])}`).join(", "),
  });
  values.forEach((value, k) => {
    if (value > 0)
      bar.append(
        make("i", { style: `width:${(100 * value) / SCALE}%;background:${table.colors[k]}`, "data-k": k }),
      );
  });
  const name = make("button", { type: "button", text: DATA.samples[i], title: DATA.samples[i] });
  name.addEventListener("click", () => showSample(i));
  const flags = DATA.flags[i].length
    ? [
        make("span", {
          class: "flag",
          text: DATA.flags[i].length === 1 ? DATA.flags[i][0] : `${DATA.flags[i].length} flags`,
          title: DATA.flags[i].join(", "),
        }),
      ]
    : [];
  return make(
    "tr",
    { "data-i": i },
    make("th", { scope: "row" }, name),
    make("td", {}, bar),
    make("td", {}, ...flags),
  );
}

function drawComposition() {
  composition.order = compositionOrder();
  const { order, all } = composition;
  composition.page = Math.max(0, Math.min(composition.page, Math.ceil(order.length / PAGE) - 1));
  const start = all ? 0 : composition.page * PAGE;
  const shown = all ? order : order.slice(start, start + PAGE);
  byId("c-rows").replaceChildren(
    ...(shown.length
      ? shown.map(barRow)
      : [make("tr", {}, make("td", { colspan: 3, text: "No sample fits." }))]),
  );
  showPages(byId("c-pages"), {
    page: composition.page,
    total: order.length,
    all,
    go: (page) => {
      composition.page = page;
      drawComposition();
    },
  });
  overview();
}

function drawLegend() {
  const table = DATA.tables[composition.table];
  const chosen = composition.sort;
  byId("c-legend").replaceChildren(
    ...table.types.map((type, k) => {
      const button = make(
        "button",
        { type: "button", "aria-pressed": String(chosen === `type ${k}`), title: `Sort by ${type}` },
        make("i", { class: "swatch", style: `background:${table.colors[k]}` }),
        type,
      );
      button.addEventListener("click", () => {
        sortBy(composition.sort === `type ${k}` ? "given" : `type ${k}`);
        byId("c-legend").children[k].focus(); // the button that was pressed has been made anew
      });
      return button;
    }),
  );
}

function sortBy(value) {
  Object.assign(composition, { sort: value, page: 0 });
  byId("c-sort").value = value;
  drawLegend();
  drawComposition();
}

function fillSorts() {
  const options = [
    ["given", "order of the table"],
    ["clustered", "clustering"],
    ["name", "name"],
    ["flagged", "flags"],
  ];
  if (DATA.groups) options.push(["group", "group"]);
  DATA.tables[composition.table].types.forEach((type, k) => options.push([`type ${k}`, type]));
  byId("c-sort").replaceChildren(...options.map(([value, text]) => make("option", { value, text })));
}

fillSelect(
  byId("c-table"),
  DATA.tables.map((table) => table.name),
);
byId("c-table").addEventListener("change", ({ target }) => {
  composition.table = Number(target.value);
  fillSorts();
  byId("c-sample").hidden = true;
  sortBy(composition.sort.startsWith("type ") ? "given" : composition.sort);
});
byId("c-sort").addEventListener("change", ({ target }) => sortBy(target.value));
byId("c-find").addEventListener(
  "input",
  after(120, () => {
    composition.page = 0;
    drawComposition();
  }),
);
byId("c-rows").addEventListener("mousemove", (event) => {
  const row = event.target.closest("tr[data-i]");
  if (!row || !event.target.dataset.k) return hideTip();
  const table = DATA.tables[composition.table];
  const [i, k] = [Number(row.dataset.i), Number(event.target.dataset.k)];
  showTip(
    `${DATA.samples[i]}\n${table.types[k]}: ${percent(cellsOf(table, i)[k])}${interval(table, i, k)}`,
    event.clientX,
    event.clientY,
  );
});
byId("c-rows").addEventListener("mouseleave", hideTip);
addEventListener("beforeprint", () => {
  composition.all = composition.order.length <= MOST_PRINTED;
  drawComposition();
});
addEventListener("afterprint", () => {
  composition.all = false;
  drawComposition();
});

// names take the room that they need, within limits
const longest = Math.max(...DATA.samples.map((name) => name.length));
const rem = Math.max(5, Math.min(20, 1.5 + 0.52 * longest));
document.querySelector(".bars").style.setProperty("--names", `${rem}rem`);
fillSorts();
byId("c-sort").value = "given";
drawLegend();
drawComposition();
