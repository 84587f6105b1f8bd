// One cell type over all samples, sorted, with intervals.
const chartSize = { height: 300, left: 48, right: 12, top: 12, bottom: 34 };
const types = { order: [], k: 0 };

function typeValues(k) {
  const [table, n] = [DATA.tables[0], DATA.tables[0].types.length];
  const at = (values) => (values ? types.order.map((i) => values[i * n + k] / SCALE) : null);
  return { value: at(table.fractions), lower: at(table.lower), upper: at(table.upper) };
}

function drawType() {
  const table = DATA.tables[0];
  const [k, n] = [Number(byId("t-type").value), table.types.length];
  types.k = k;
  types.order = DATA.samples
    .map((_, i) => i)
    .sort((a, b) => table.fractions[b * n + k] - table.fractions[a * n + k] || a - b);
  const { value, lower, upper } = typeValues(k);
  const place = byId("t-chart");
  const width = Math.max(320, place.clientWidth);
  const { height, left, right, top, bottom } = chartSize;
  const highest = Math.max(0.02, ...(upper ?? value).filter(Number.isFinite));
  const step = [0.01, 0.02, 0.05, 0.1, 0.2, 0.25].find((s) => highest / s <= 5) ?? 0.25;
  const limit = Math.min(1, Math.ceil(highest / step) * step);
  const x = (at) => left + ((at + 0.5) / value.length) * (width - left - right);
  const y = (share) => top + (1 - share / limit) * (height - top - bottom);
  const svg = svgElement("svg", {
    viewBox: `0 0 ${width} ${height}`,
    role: "img",
    "aria-label": `${table.types[k]} in ${integer(value.length)} samples, sorted, with intervals; the values are in the TSV`,
  });
  for (let share = 0; share <= limit + 1e-9; share += step) {
    svg.append(
      svgElement("line", { x1: left, x2: width - right, y1: y(share), y2: y(share), stroke: "var(--grid)" }),
    );
    svg.append(
      svgElement(
        "text",
        { x: left - 6, y: y(share) + 4, "text-anchor": "end", "font-size": 11, fill: "var(--muted)" },
        `${Math.round(share * 1000) / 10}%`,
      ),
    );
  }
  const color = table.colors[k];
  const few = value.length <= 150;
  if (lower && few)
    svg.append(
      ...lower.map((low, at) =>
        svgElement("line", {
          x1: x(at),
          x2: x(at),
          y1: y(low),
          y2: y(upper[at]),
          stroke: color,
          "stroke-width": Math.max(1, Math.min(5, 300 / value.length)),
          "stroke-opacity": 0.45,
          "stroke-linecap": "round",
        }),
      ),
    );
  if (lower && !few)
    svg.append(
      svgElement("path", {
        d: `M${lower.map((low, at) => `${x(at).toFixed(1)} ${y(low).toFixed(1)}`).join("L")}L${upper
          .map((high, at) => `${x(at).toFixed(1)} ${y(high).toFixed(1)}`)
          .reverse()
          .join("L")}Z`,
        fill: color,
        "fill-opacity": 0.25,
      }),
    );
  if (few)
    svg.append(
      ...value.map((share, at) =>
        svgElement("circle", {
          cx: x(at),
          cy: y(share),
          r: Math.max(2, Math.min(4.5, 300 / value.length)),
          fill: color,
          stroke: "var(--paper)",
        }),
      ),
    );
  else
    svg.append(
      svgElement("path", {
        d: `M${value.map((share, at) => `${x(at).toFixed(1)} ${y(share).toFixed(1)}`).join("L")}`,
        fill: "none",
        stroke: color,
        "stroke-width": 2,
      }),
    );
  const wanted = byId("t-find").value.trim().toLowerCase();
  if (wanted) {
    types.order.forEach((i, at) => {
      if (DATA.samples[i].toLowerCase().includes(wanted))
        svg.append(
          svgElement("circle", {
            cx: x(at),
            cy: y(value[at]),
            r: 6,
            fill: "none",
            stroke: "var(--ink)",
            "stroke-width": 2,
            class: "found",
          }),
        );
    });
  }
  svg.append(
    svgElement(
      "text",
      {
        x: (left + width - right) / 2,
        y: height - 8,
        "text-anchor": "middle",
        "font-size": 12,
        fill: "var(--muted)",
      },
      value.length === 1
        ? table.types[k]
        : `${integer(value.length)} samples, in descending order of ${table.types[k]}`,
    ),
  );
  place.replaceChildren(svg);
}

byId("t-chart").addEventListener("mousemove", (event) => {
  const svg = event.currentTarget.querySelector("svg");
  const box = svg.getBoundingClientRect();
  const width = svg.viewBox.baseVal.width;
  const inside = ((event.clientX - box.left) / box.width) * width - chartSize.left;
  const i =
    types.order[Math.floor((inside / (width - chartSize.left - chartSize.right)) * types.order.length)];
  if (i === undefined) return hideTip();
  const table = DATA.tables[0];
  showTip(
    `${DATA.samples[i]}\n${table.types[types.k]}: ${withInterval(table, i, types.k)}`,
    event.clientX,
    event.clientY,
  );
});
byId("t-chart").addEventListener("mouseleave", hideTip);
byId("t-type").addEventListener("change", drawType);
byId("t-find").addEventListener("input", after(120, drawType));
byId("t-svg").addEventListener("click", () => saveSvg("cell_type", byId("t-chart").querySelector("svg")));
byId("t-tsv").addEventListener("click", () => {
  const { value, lower, upper } = typeValues(types.k);
  const rows = types.order.map((i, at) => [
    DATA.samples[i],
    ...[value, lower, upper].filter(Boolean).map((values) => values[at].toFixed(4)),
  ]);
  saveTsv("cell_type", [
    ["sample", DATA.tables[0].types[types.k], ...(lower ? ["lower", "upper"] : [])],
    ...rows,
  ]);
});
fillSelect(byId("t-type"), DATA.tables[0].types);
byId("t-type").value = DATA.most_abundant;
new ResizeObserver(after(60, drawType)).observe(byId("t-chart"));
drawType();
