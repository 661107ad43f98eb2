// A time in the browser's own zone: <local-time ms="..." show="both|time">
customElements.get("local-time") || customElements.define("local-time", class extends HTMLElement {
  static observedAttributes = ["ms", "show"];
  attributeChangedCallback() {
    const time = new Date(Number(this.getAttribute("ms")));
    const clock = { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" };
    const day = { month: "short", day: "numeric" };
    const sameDay = time.toDateString() === new Date().toDateString();
    this.textContent = time.toLocaleString(undefined, this.getAttribute("show") === "time" && sameDay ? clock : { ...day, ...clock });
    this.title = time.toISOString();
  }
});

// Add points to a chart that is on the screen and let it slide: only what is new crosses the wire.
window.memfleetAppend = (elementId, additions, startMs, endMs) => {
  const chart = getElement(elementId)?.chart;
  if (!chart) return;
  const series = chart.getOption().series.map((old, index) => ({
    data: old.data.filter((point) => point[0] >= startMs).concat(additions[index] ?? []),
  }));
  chart.setOption({ xAxis: { min: startMs, max: endMs }, series });
};

window.memfleetTheme = (theme) => {
  document.cookie = `memfleet_theme=${theme};path=/;max-age=31536000;samesite=strict`;
};
