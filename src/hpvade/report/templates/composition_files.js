// The composition as files: what is shown, in its order.
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
  byId("c-overview").append(svg); // in the page, so that its variables have values
  saveSvg("composition", svg);
  svg.remove();
});
