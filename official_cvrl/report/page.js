// Shows a curve's value under the pointer, or the next one with the arrow keys.
for (const figure of document.querySelectorAll(".chart")) {
  const svg = figure.querySelector("svg");
  const output = figure.querySelector("output");
  const atRest = output.innerHTML;
  const points = JSON.parse(svg.dataset.points);
  const make = (name) => svg.appendChild(document.createElementNS(svg.namespaceURI, name));
  const mark = make("g");
  const rule = mark.appendChild(make("path"));
  const dot = mark.appendChild(make("circle"));
  mark.setAttribute("class", "hover");
  mark.setAttribute("visibility", "hidden");
  dot.setAttribute("r", 5);
  let shown = points.length - 1;

  const show = (index) => {
    shown = Math.max(0, Math.min(points.length - 1, index));
    const [x, y, step, value] = points[shown];
    rule.setAttribute("d", `M${x} ${svg.dataset.top}V${svg.dataset.bottom}`);
    dot.setAttribute("cx", x);
    dot.setAttribute("cy", y);
    mark.setAttribute("visibility", "visible");
    const strong = document.createElement("b");
    strong.textContent = value;
    output.replaceChildren(`step ${step} `, strong);
  };
  const rest = () => {
    mark.setAttribute("visibility", "hidden");
    output.innerHTML = atRest;
  };
  const nearest = (event) => {
    const box = svg.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * svg.viewBox.baseVal.width;
    const distances = points.map((point) => Math.abs(point[0] - x));
    return distances.indexOf(Math.min(...distances));
  };
  svg.addEventListener("pointermove", (event) => show(nearest(event)));
  svg.addEventListener("pointerdown", (event) => show(nearest(event)));
  svg.addEventListener("pointerleave", rest);
  svg.addEventListener("blur", rest);
  svg.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (step) {
      event.preventDefault();
      show(shown + step);
    }
  });
}
