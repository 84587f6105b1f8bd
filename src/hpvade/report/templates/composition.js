// Composition of each sample: pages of stacked bars, and their downloads.
const composition = { table: 0, sort: "given", page: 0, order: [], all: false };

function cellsOf(table, i) {
  const n = table.types.length;
  return table.fractions.slice(i * n, (i + 1) * n);
}

function interval(table, i, k) {
  if (!table.lower) return "";
  const at = i * table.types.length + k;
  return `${percent(table.lower[at])} – ${percent(table.upper[at])}`;
}

function withInterval(table, i, k) {
  const value = percent(cellsOf(table, i)[k]);
  return table.lower ? `${value} (${interval(table, i, k)})` : value;
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
      : [make("tr", {}, make("td", { colspan: 3, text: "No matching samples." }))]),
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
        byId("c-legend").children[k].focus(); // the pressed button has been replaced
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
    ["given", "order in the table"],
    ["clustered", "similarity (clustering)"],
    ["name", "sample name"],
    ["flagged", "number of flags"],
  ];
  if (DATA.groups) options.push(["group", "group"]);
  options.push(...DATA.tables[composition.table].types.map((type, k) => [`type ${k}`, type]));
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
    `${DATA.samples[i]}\n${table.types[k]}: ${withInterval(table, i, k)}`,
    event.clientX,
    event.clientY,
  );
});
byId("c-rows").addEventListener("mouseleave", hideTip);
addEventListener("beforeprint", () => {
  composition.all = composition.order.length <= MAX_PRINTED;
  drawComposition();
});
addEventListener("afterprint", () => {
  composition.all = false;
  drawComposition();
});

// ---- downloads: what is shown, in the same order ----
byId("c-tsv").addEventListener("click", () => {
  const table = DATA.tables[composition.table];
  const rows = composition.order.map((i) => [
    DATA.samples[i],
    ...cellsOf(table, i).map((value) => (value / SCALE).toFixed(4)),
  ]);
  saveTsv(table.name.toLowerCase().replace(/[^a-z0-9]+/g, "_"), [["sample", ...table.types], ...rows]);
});
byId("c-svg").addEventListener("click", () => {
  const table = DATA.tables[composition.table];
  const step = Math.max(2, Math.min(22, 12000 / composition.order.length));
  const [left, width, height] = [180, 640, step * composition.order.length];
  const legend = 20 * Math.ceil(table.types.length / 4) + 16;
  const svg = svgElement("svg", { viewBox: `0 0 ${left + width + 20} ${height + legend + 10}` });
  table.types.forEach((type, k) => {
    const [x, y] = [left + (k % 4) * (width / 4), 8 + 20 * Math.floor(k / 4)];
    svg.append(
      svgElement("rect", { x, y, width: 11, height: 11, fill: table.colors[k] }),
      svgElement("text", { x: x + 16, y: y + 10, "font-size": 11, fill: "var(--ink)" }, type),
    );
  });
  composition.order.forEach((i, row) => {
    const y = legend + row * step;
    if (step > 9)
      svg.append(
        svgElement(
          "text",
          {
            x: left - 8,
            y: y + step * 0.7,
            "font-size": Math.min(12, step - 3),
            "text-anchor": "end",
            fill: "var(--ink)",
          },
          DATA.samples[i],
        ),
      );
    let x = left;
    cellsOf(table, i).forEach((value, k) => {
      const w = (width * value) / SCALE;
      if (value > 0)
        svg.append(
          svgElement("rect", {
            x: x.toFixed(2),
            y: y.toFixed(2),
            width: w.toFixed(2),
            height: (step > 6 ? step - 3 : step).toFixed(2),
            fill: table.colors[k],
          }),
        );
      x += w;
    });
  });
  byId("c-overview").append(svg); // in the page, where the CSS variables have values
  saveSvg("composition", svg);
  svg.remove();
});

// names take the width they need, within limits
const longest = Math.max(...DATA.samples.map((name) => name.length));
const width = Math.ceil(1.2 * Math.min(longest, 30)); // capitals are wider than digits
document.querySelector(".bars").style.setProperty("--names", `calc(${width}ch + 1.5rem)`);
fillSorts();
byId("c-sort").value = "given";
drawLegend();
drawComposition();
