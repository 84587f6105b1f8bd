// All that is told of one sample, when its name is chosen.
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
        make("td", { class: "number", text: interval(table, i, k).trim() }),
      ),
    );
  const head = make(
    "tr",
    {},
    ...[table.name, "Share", table.lower ? `${Math.round(100 * DATA.level)}% interval` : ""].map((text, k) =>
      make("th", { scope: "col", class: k ? "number" : null, text }),
    ),
  );
  const facts = DATA.qc
    .filter((column) => (column.values[i] ?? "") !== "" && column.name !== "flags")
    .map((column) => `${column.name} ${column.values[i]}`);
  card.replaceChildren(
    make("h3", { tabindex: -1 }, make("span", { text: DATA.samples[i] }), close),
    ...DATA.flags[i].map((flag) =>
      make("p", {}, make("span", { class: "flag", text: flag }), ` ${DATA.meanings[flag] ?? ""}`),
    ),
    make("table", { class: "data" }, make("thead", {}, head), make("tbody", {}, ...rows)),
    make("p", { class: "note", text: facts.join(" · ") }),
  );
  card.hidden = false;
  card.querySelector("h3").focus({ preventScroll: true });
  card.scrollIntoView({ block: "nearest" });
}
