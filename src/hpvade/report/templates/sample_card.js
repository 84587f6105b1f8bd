// biome-ignore-all lint/correctness/noUnusedVariables: the scripts are joined into one; later ones use these
// The details of one sample, shown when its name is selected.
function showSample(i) {
  const card = byId("c-sample");
  const table = DATA.tables[composition.table];
  const close = make("button", { type: "button", text: "Close" });
  close.addEventListener("click", () => {
    card.hidden = true;
    document.querySelector(`#c-rows tr[data-i="${i}"] button`)?.focus();
  });
  const rows = cellsOf(table, i)
    .map((value, k) => [value, k])
    .sort((a, b) => b[0] - a[0])
    .map(([value, k]) =>
      make(
        "tr",
        {},
        make(
          "th",
          { scope: "row" },
          make("i", { class: "swatch", style: `background:${table.colors[k]}` }),
          table.types[k],
        ),
        make("td", { class: "number", text: percent(value) }),
        make("td", { class: "number", text: interval(table, i, k) }),
      ),
    );
  const head = make(
    "tr",
    {},
    ...[table.name, "Fraction", table.lower ? `${Math.round(100 * DATA.coverage)}% interval` : ""].map(
      (text, k) => make("th", { scope: "col", class: k ? "number" : null, text }),
    ),
  );
  const facts = DATA.qc
    .filter((column) => (column.values[i] ?? "") !== "" && column.name !== "flags")
    .map((column) => {
      const value = column.values[i];
      return `${column.label}: ${isNumber(column) ? number(value, column.decimals) : value.replaceAll(";", ", ")}`;
    });
  card.replaceChildren(
    make("h3", { tabindex: -1 }, make("span", { text: DATA.samples[i] }), close),
    ...DATA.flags[i].map((flag) =>
      make("p", {}, make("span", { class: "flag", text: flag }), ` ${DATA.meanings[flag] ?? ""}`),
    ),
    make(
      "div",
      { class: "scroll", tabindex: 0, role: "region", "aria-label": `Fractions of ${DATA.samples[i]}` },
      make("table", { class: "data" }, make("thead", {}, head), make("tbody", {}, ...rows)),
    ),
    make("p", { class: "note", text: facts.join(" · ") }),
  );
  card.hidden = false;
  card.querySelector("h3").focus({ preventScroll: true });
  card.scrollIntoView({ block: "nearest" });
}
