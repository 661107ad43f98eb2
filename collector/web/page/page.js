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

// The table of samples: Ctrl+A selects it alone, what is selected of it is copied as tab-separated text.
const memfleetTableAt = (node) => (node?.nodeType === 1 ? node : node?.parentElement)?.closest(".samples");

document.addEventListener("keydown", (event) => {
  const table = memfleetTableAt(document.activeElement);
  if (!table || !(event.ctrlKey || event.metaKey) || event.key.toLowerCase() !== "a") return;
  event.preventDefault();
  getSelection().selectAllChildren(table);
});

document.addEventListener("copy", (event) => {
  const selection = getSelection();
  const table = memfleetTableAt(selection.anchorNode);
  if (!table || selection.isCollapsed) return;
  const rows = [...table.querySelectorAll("tr")].filter((row) => selection.containsNode(row, true));
  const lines = rows.map((row) => [...row.cells].map((cell) => cell.dataset.copy ?? cell.textContent).join("\t"));
  event.clipboardData.setData("text/plain", lines.join("\n") + "\n");
  event.preventDefault();
});

// New rows wait while somebody has selected some of the old ones.
const memfleetWaiting = new Map();
const memfleetShow = (id, html) => {
  const place = getHtmlElement(id);
  if (!place) return;
  const selection = getSelection();
  if (!selection.isCollapsed && memfleetTableAt(selection.anchorNode) === place) memfleetWaiting.set(id, html);
  else place.innerHTML = html;
};
window.memfleetSamples = memfleetShow;
document.addEventListener("selectionchange", () => {
  for (const [id, html] of [...memfleetWaiting]) {
    memfleetWaiting.delete(id);
    memfleetShow(id, html);
  }
});
