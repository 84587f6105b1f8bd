// biome-ignore-all lint/correctness/noUnusedVariables: the scripts are joined into one; later ones use these
// All samples in one picture: one path per cell type, whatever the number of samples.
function overview() {
  const place = byId("c-overview");
  const table = DATA.tables[composition.table];
  const { order } = composition;
  place.hidden = order.length <= PAGE / 2;
  if (place.hidden) return;
  const n = table.types.length;
  const svg = svgElement("svg", {
    viewBox: `0 0 ${order.length} ${SCALE}`,
    preserveAspectRatio: "none",
    role: "img",
    "aria-label": `Overview of all ${integer(order.length)} samples; the box marks the page of samples shown below`,
  });
  const base = new Float64Array(order.length);
  table.types.forEach((_, k) => {
    let top = "";
    let back = "";
    order.forEach((i, x) => {
      const lower = SCALE - base[x];
      base[x] += table.fractions[i * n + k];
      top += `${x ? "L" : "M"}${x} ${SCALE - base[x]}H${x + 1}`;
      back = `L${x + 1} ${lower}H${x}${back}`;
    });
    svg.append(svgElement("path", { d: `${top}${back}Z`, fill: table.colors[k] }));
  });
  const first = composition.page * PAGE;
  svg.append(
    svgElement("rect", {
      x: first,
      y: 0,
      width: Math.min(PAGE, order.length - first),
      height: SCALE,
      fill: "none",
      stroke: "var(--ink)",
      "stroke-width": 2,
      "vector-effect": "non-scaling-stroke",
    }),
  );
  place.replaceChildren(svg);
}

byId("c-overview").addEventListener("click", (event) => {
  const box = event.currentTarget.getBoundingClientRect();
  composition.page = Math.floor((((event.clientX - box.left) / box.width) * composition.order.length) / PAGE);
  drawComposition();
});

byId("c-overview").addEventListener("mousemove", (event) => {
  const box = event.currentTarget.getBoundingClientRect();
  const i =
    composition.order[Math.floor(((event.clientX - box.left) / box.width) * composition.order.length)];
  if (i === undefined) return;
  const table = DATA.tables[composition.table];
  const largest = cellsOf(table, i)
    .map((value, k) => [value, k])
    .sort((a, b) => b[0] - a[0])
    .slice(0, 3);
  showTip(
    [DATA.samples[i], ...largest.map(([value, k]) => `${table.types[k]}: ${percent(value)}`)].join("\n"),
    event.clientX,
    event.clientY,
  );
});
byId("c-overview").addEventListener("mouseleave", hideTip);
