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

// A field for a moment in the browser's own zone: <moment-field ms="..." label="...">; tells "moment" events in ms.
customElements.get("moment-field") || customElements.define("moment-field", class extends HTMLElement {
  static observedAttributes = ["ms"];
  connectedCallback() {
    if (this.firstChild) return;
    const field = document.createElement("input");
    field.type = "datetime-local";
    field.step = "1";
    field.ariaLabel = this.getAttribute("label");
    field.addEventListener("change", () => {
      const detail = field.value ? new Date(field.value).getTime() : 0;
      this.dispatchEvent(new CustomEvent("moment", { detail }));
    });
    this.append(field);
    this.attributeChangedCallback();
  }
  attributeChangedCallback() {
    const [field, ms] = [this.firstChild, Number(this.getAttribute("ms"))];
    if (!field || document.activeElement === field) return;
    field.value = ms ? new Date(ms - new Date(ms).getTimezoneOffset() * 60000).toISOString().slice(0, 19) : "";
  }
});

// Add points to a chart and let it slide: only what is new crosses the wire. A chart that is only just being built takes
// them a moment later; what it has got by then it does not get twice.
window.memfleetAppend = (elementId, additions, startMs, endMs) => {
  const element = getElement(elementId);
  if (!element) return;
  const drawn = element.chart?.getOption()?.series;
  if (!drawn) {
    setTimeout(window.memfleetAppend, 50, elementId, additions, startMs, endMs);
    return;
  }
  const series = drawn.map((old, index) => {
    const lastMs = old.data.at(-1)?.[0] ?? -Infinity;
    const fresh = (additions[index] ?? []).filter((point) => point[0] > lastMs);
    return { data: old.data.filter((point) => point[0] >= startMs).concat(fresh) };
  });
  element.chart.setOption({ xAxis: { min: startMs, max: endMs }, series });
};

// Keep the chosen theme for the next view.
window.memfleetTheme = (theme) => {
  document.cookie = `memfleet_theme=${theme};path=/;max-age=31536000;samesite=strict`;
  return theme;
};

// A row that is told anew while somebody presses a link in it has another link there when they let go, if it has not
// moved, and the browser follows neither: this follows what was pressed.
let memfleetPressed = null;
document.addEventListener("pointerdown", (event) => {
  const link = event.button === 0 ? event.target.closest("a[href]") : null;
  memfleetPressed = link && { link, x: event.clientX, y: event.clientY };
});
document.addEventListener("pointerup", (event) => {
  const pressed = memfleetPressed;
  memfleetPressed = null;
  if (!pressed || pressed.link.isConnected || Math.hypot(event.clientX - pressed.x, event.clientY - pressed.y) > 6) return;
  const { ctrlKey, metaKey, shiftKey } = event;
  pressed.link.dispatchEvent(new MouseEvent("click", { cancelable: true, ctrlKey, metaKey, shiftKey }));
});

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

// Zoom: drag over a chart, hold Ctrl and turn the wheel, or press a boot of the time line. The view is told, and asks for
// the readings of that stretch: a thinned line that is only stretched would show nothing new.
const memfleetZoom = (node, from, to) => {
  const detail = [Math.round(from), Math.round(to)];
  if (detail.every(Number.isFinite)) node.closest(".zoomable")?.dispatchEvent(new CustomEvent("zoomed", { detail }));
};

const memfleetChartAt = (element) => {
  const place = element.closest(".zoomable .chart");
  return place && [place, getElement(Number(place.id.slice(1)))?.chart];
};

document.addEventListener("pointerdown", (event) => {
  const [place, chart] = (event.pointerType === "mouse" && event.button === 0 && memfleetChartAt(event.target)) || [];
  if (!chart) return;
  const left = place.getBoundingClientRect().left;
  const begin = event.clientX - left;
  const shade = place.appendChild(Object.assign(document.createElement("div"), { className: "drag" }));
  const spread = (to) => Object.assign(shade.style, { left: `${Math.min(begin, to)}px`, width: `${Math.abs(to - begin)}px` });
  const move = (moved) => spread(moved.clientX - left);
  const done = (moved) => {
    removeEventListener("pointermove", move);
    shade.remove();
    const ends = [begin, moved.clientX - left].sort((one, other) => one - other);
    if (ends[1] - ends[0] > 6) memfleetZoom(place, ...ends.map((x) => chart.convertFromPixel({ xAxisIndex: 0 }, x)));
  };
  spread(begin);
  addEventListener("pointermove", move);
  addEventListener("pointerup", done, { once: true });
});

document.addEventListener("wheel", (event) => {
  const [place, chart] = (event.ctrlKey && event.deltaY && memfleetChartAt(event.target)) || [];
  if (!chart) return;
  event.preventDefault();
  if (event.timeStamp - (place.turned ?? 0) < 150) return;
  place.turned = event.timeStamp;
  const at = chart.convertFromPixel({ xAxisIndex: 0 }, event.clientX - place.getBoundingClientRect().left);
  const { min, max } = chart.getOption().xAxis[0];
  const factor = event.deltaY < 0 ? 0.7 : 1 / 0.7;
  memfleetZoom(place, at - (at - min) * factor, at + (max - at) * factor);
}, { passive: false });

document.addEventListener("click", (event) => {
  const { from, to } = event.target.closest(".runs button")?.dataset ?? {};
  if (from) memfleetZoom(event.target, Number(from), Math.max(Number(to), Number(from) + 60000));
});

// Whoever opens the page while the collector ends has half a page. The framework says when a connection was lost, not
// that none came about, so this does. A connection it tries again by itself; what could not be loaded needs a new page.
const memfleetUnanswered = () => {
  if (window.did_handshake || document.querySelector(".unanswered")) return;
  const note = document.createElement("p");
  note.className = "unanswered";
  note.role = "alert";
  note.textContent = "The collector does not answer. Trying again …";
  document.body.append(note);
  const again = setInterval(async () => {
    if (window.did_handshake) {
      clearInterval(again);
      note.remove();
    } else if (!window.socket && (await fetch("/healthz", { cache: "no-store" }).catch(() => null))?.ok) {
      location.reload();
    }
  }, 1000);
};

addEventListener("error", (event) => event.target.tagName === "SCRIPT" && memfleetUnanswered(), true);
const memfleetConnecting = setInterval(() => {
  if (!window.socket) return;
  clearInterval(memfleetConnecting);
  window.socket.on("connect_error", memfleetUnanswered);
}, 100);
