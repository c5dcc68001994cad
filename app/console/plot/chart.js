// A chart in the page itself. The library is loaded once for all charts; every new figure goes into the chart that is there.
export default function (component) {
  const { data, parentElement, setTriggerValue } = component;
  const chart = parentElement.querySelector(".raceway-chart");
  const figure = JSON.parse(data.figure);
  chart.style.height = `${figure.layout.height}px`;
  chart.racewayClicks = data.clicks;

  // Text in the colour of the reader's theme: on a dark ground dark letters cannot be read.
  const BLUE = "#0072B2", SKY = "#56B4E9";
  const paint = ({ data: traces, layout }) => {
    const colour = getComputedStyle(chart).color;
    const [red, green, blue] = (colour.match(/[\d.]+/g) || [0, 0, 0]).map(Number);
    if (red + green + blue > 384) for (const trace of traces) if (trace.line?.color === BLUE) trace.line.color = SKY;
    layout.font = { ...layout.font, color: colour };
  };
  // Some pages ask for the library as they are loaded; then it is only waited for.
  const load = () => new Promise((done, fail) => {
    if (window.Plotly) return done();
    const asked = document.querySelector(`script[src="${data.library}"]`);
    const script = asked || Object.assign(document.createElement("script"), { src: data.library });
    Object.assign(script, { onload: done, onerror: fail });
    if (!asked) document.head.append(script);
  });
  // The number is new with each click, so that two on the same point are two.
  const listen = () => {
    if (chart.racewayListens) return;
    chart.racewayListens = true;
    chart.on("plotly_click", ({ points }) => {
      const point = points.find((one) => one.customdata !== undefined && one.customdata !== null) ?? points[0];
      if (!chart.racewayClicks || !point) return;
      setTriggerValue("click", { x: point.x, y: point.y ?? null, custom: point.customdata ?? null, number: Date.now() });
    });
  };
  window.racewayPlotly = window.racewayPlotly || load();
  window.racewayPlotly
    .then(() => {
      paint(figure);
      return window.Plotly.react(chart, figure.data, figure.layout, { responsive: true, displaylogo: false });
    })
    .then(listen);
}
