// Pictures of one size with a cross in all of them. The server hears of a move once it has rested for a moment.

const STEP = 0.02; // of the picture's width, for an arrow key; a quarter of it with Shift
const REST_MS = 250;
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

class Pointing {
  constructor(root) {
    this.root = root;
  }

  show(data, tell) {
    this.tell = tell;
    const told = JSON.stringify(data);
    if (told === this.told) return; // Streamlit calls at every run of the page
    this.told = told;
    this.ratio = data.width / data.height;
    const focused = [...this.root.querySelectorAll(".stage")].indexOf(this.root.getRootNode().activeElement);
    this.root.classList.toggle("alone", data.panes.length === 1);
    this.root.style.setProperty("--least", data.panes.length === 4 ? "320px" : "250px"); // four are two and two
    this.root.replaceChildren(...data.panes.map((pane) => this.pane(pane)));
    this.root.querySelectorAll(".stage")[focused]?.focus();
    this.move(data.at);
  }

  pane({ title, subtitle, url, alt, note }) {
    const figure = document.createElement("figure");
    const caption = document.createElement("figcaption");
    const small = document.createElement("small");
    small.textContent = subtitle;
    caption.append(title, " ", small);
    const stage = document.createElement("div");
    stage.className = "stage";
    stage.style.aspectRatio = this.ratio;
    stage.tabIndex = 0;
    stage.setAttribute("role", "application");
    stage.setAttribute("aria-label", `${title || alt}: point at a place with a click or the arrow keys`);
    const image = document.createElement("img");
    image.src = url;
    image.alt = alt;
    image.draggable = false;
    const cross = document.createElement("div");
    cross.className = "cross";
    stage.append(image, cross);
    stage.addEventListener("click", (event) => this.point(stage, event));
    stage.addEventListener("keydown", (event) => this.press(event));
    const words = document.createElement("p");
    words.className = "note";
    words.textContent = note;
    figure.append(...(title ? [caption] : []), stage, ...(note ? [words] : []));
    return figure;
  }

  point(stage, event) {
    const box = stage.getBoundingClientRect();
    this.move([(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height]);
    this.send(0);
  }

  press(event) {
    const way = ARROWS[event.key];
    if (!way) return;
    event.preventDefault();
    const step = event.shiftKey ? STEP / 4 : STEP;
    this.move([this.at[0] + step * way[0], this.at[1] + step * way[1] * this.ratio]);
    this.send(REST_MS);
  }

  move(at) {
    this.at = at.map((value) => Math.min(0.9999, Math.max(0, value)));
    for (const cross of this.root.querySelectorAll(".cross")) {
      cross.style.left = `${100 * this.at[0]}%`;
      cross.style.top = `${100 * this.at[1]}%`;
    }
  }

  send(delay) {
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => this.tell(this.at), delay);
  }
}

export default function ({ data, parentElement, setStateValue }) {
  const root = parentElement.querySelector(".pointing");
  root.pointing ??= new Pointing(root);
  root.pointing.show(data, (at) => setStateValue("at", at));
  return () => {
    clearTimeout(root.pointing?.waiting);
    root.pointing = null;
  };
}
