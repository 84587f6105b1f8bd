// Quality of each sample: a table to sort and search, in pages.
const quality = { column: -1, sign: 1, page: 0, all: false };
const isNumber = (column) => column.kind === "number";

function qualityOrder() {
  const fits = matches(byId("q-find").value);
  const only = byId("q-flagged").checked;
  const order = DATA.samples.map((_, i) => i).filter((i) => fits(i) && (!only || flagged[i]));
  if (quality.column >= 0) {
    const column = DATA.qc[quality.column - 1];
    const values =
      quality.column === 0
        ? DATA.samples
        : column.name === "flags"
          ? DATA.flags.map((flags) => flags.length)
          : column.values;
    const key = (i) => (typeof values[i] === "string" ? values[i].toLowerCase() : (values[i] ?? NaN));
    order.sort((a, b) => quality.sign * compare(key(a), key(b)) || a - b);
  }
  return order;
}

function qualityCell(column, i) {
  if (column.name === "flags")
    return make(
      "td",
      {},
      ...DATA.flags[i].flatMap((flag) => [
        make("span", { class: "flag", text: flag, title: DATA.meanings[flag] ?? "" }),
        " ",
      ]),
    );
  if (isNumber(column))
    return make("td", { class: "number", text: number(column.values[i], column.decimals) });
  return make("td", { text: column.values[i].replaceAll(";", ", ") });
}

function drawQuality() {
  const order = qualityOrder();
  quality.page = Math.max(0, Math.min(quality.page, Math.ceil(order.length / PAGE) - 1));
  const shown = quality.all ? order : order.slice(quality.page * PAGE, (quality.page + 1) * PAGE);
  const rows = shown.map((i) =>
    make(
      "tr",
      {},
      make("th", { scope: "row", text: DATA.samples[i], title: DATA.samples[i] }),
      ...DATA.qc.map((column) => qualityCell(column, i)),
    ),
  );
  const none = make("tr", {}, make("td", { colspan: DATA.qc.length + 1, text: "No matching samples." }));
  byId("q-table").tBodies[0].replaceChildren(...(rows.length ? rows : [none]));
  showPages(byId("q-pages"), {
    page: quality.page,
    total: order.length,
    all: quality.all,
    go: (page) => {
      quality.page = page;
      drawQuality();
    },
  });
}

const headings = [{ label: "sample" }, ...DATA.qc].map(({ label, meaning }, k) => {
  const heading = make("th", {
    scope: "col",
    class: k && isNumber(DATA.qc[k - 1]) ? "number" : null,
    title: meaning || null,
    text: label,
  });
  sortableHeading(heading, (sign) => {
    Object.assign(quality, { column: k, sign, page: 0 });
    drawQuality();
  });
  return heading;
});
byId("q-table").tHead.append(make("tr", {}, ...headings));
byId("q-find").addEventListener(
  "input",
  after(120, () => {
    quality.page = 0;
    drawQuality();
  }),
);
byId("q-flagged").addEventListener("change", () => {
  quality.page = 0;
  drawQuality();
});
byId("q-tsv").addEventListener("click", () =>
  saveTsv("quality", [
    ["sample", ...DATA.qc.map((column) => column.name)],
    ...qualityOrder().map((i) => [
      DATA.samples[i],
      ...DATA.qc.map((column) => (column.name === "flags" ? DATA.flags[i].join(";") : column.values[i])),
    ]),
  ]),
);
addEventListener("beforeprint", () => {
  quality.all = DATA.samples.length <= MAX_PRINTED;
  drawQuality();
});
addEventListener("afterprint", () => {
  quality.all = false;
  drawQuality();
});
drawQuality();
