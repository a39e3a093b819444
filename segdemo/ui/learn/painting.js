// Small grids of labels to paint on: with the pointer, or with arrow keys and the numbers of the classes.

const VOID = 255;
const ARROWS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };

function make(tag, className, text = "") {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  return made;
}

class Painting {
  constructor(root) {
    this.root = root;
    this.brush = 1;
    this.stroke = null;
    this.ended = new AbortController();
    window.addEventListener("pointerup", () => this.finish(), { signal: this.ended.signal });
  }

  show(data, tell) {
    this.tell = tell;
    const told = JSON.stringify(data);
    if (told === this.told || this.stroke) return; // Streamlit calls at every run of the page
    this.told = told;
    if (told === JSON.stringify({ ...data, pictures: this.pictures })) return; // what was painted here comes back
    this.classes = data.classes;
    this.pictures = structuredClone(data.pictures);
    this.build();
  }

  build() {
    const pairs = make("div", "pairs");
    this.grids = [];
    this.pictures.forEach((picture, number) => {
      const pair = make("div", "pair");
      for (const [side, title] of [["truth", "Truth"], ["prediction", "Prediction"]]) {
        const name = this.pictures.length > 1 ? `${title} ${number + 1}` : title;
        pair.append(this.grid(picture, side, name));
      }
      pairs.append(pair);
    });
    const hint = make("p", "hint", "Drag to paint. With the keyboard: arrows move, 0 to 3 paint, V takes a label of the truth away. A red dot is a wrong pixel.");
    this.brushes = make("div", "brushes");
    this.brushes.setAttribute("role", "radiogroup");
    this.brushes.setAttribute("aria-label", "Class to paint with");
    this.root.replaceChildren(this.brushes, pairs, hint);
    this.drawBrushes();
    this.draw();
  }

  drawBrushes() {
    const all = [...this.classes.entries()].map(([id, row]) => [id, row.name, row.color, id]);
    all.push([VOID, "no label", null, "V"]);
    this.brushes.replaceChildren(...all.map(([id, name, color, key]) => {
      const button = make("button", "");
      button.type = "button";
      button.setAttribute("role", "radio");
      button.setAttribute("aria-checked", id === this.brush);
      const swatch = make("span", color ? "swatch" : "swatch void");
      if (color) swatch.style.backgroundColor = color;
      button.append(swatch, name, make("small", "", key));
      button.addEventListener("click", () => {
        this.brush = id;
        this.drawBrushes();
      });
      return button;
    }));
  }

  grid(picture, side, name) {
    const rows = picture[side];
    const figure = document.createElement("figure");
    const grid = make("div", "grid");
    grid.setAttribute("role", "grid");
    grid.setAttribute("aria-label", name);
    grid.style.gridTemplateColumns = `repeat(${rows[0].length}, auto)`;
    grid.style.setProperty("--side", `min(2.25rem, calc((86vw - 2rem) / ${Math.max(8, rows[0].length)}))`);
    const cells = rows.map((row, y) => {
      const line = make("div", "");
      line.setAttribute("role", "row");
      line.style.display = "contents";
      const made = row.map((_, x) => {
        const cell = make("div", "cell");
        cell.setAttribute("role", "gridcell");
        cell.tabIndex = x + y === 0 ? 0 : -1;
        cell.addEventListener("keydown", (event) => this.press(event, picture, side, cells, y, x));
        cell.addEventListener("pointerdown", (event) => {
          event.preventDefault();
          this.stroke = { picture, side, cells };
          this.paint(picture, side, y, x, this.brush);
        });
        return cell;
      });
      line.append(...made);
      grid.append(line);
      return made;
    });
    grid.addEventListener("pointermove", (event) => this.drag(event));
    this.grids.push({ picture, side, cells });
    figure.append(make("figcaption", "", name), grid);
    return figure;
  }

  /** A touch keeps its first target, so that the cell is looked up under the pointer. */
  drag(event) {
    if (!this.stroke) return;
    const { picture, side, cells } = this.stroke;
    const at = this.root.getRootNode().elementFromPoint(event.clientX, event.clientY);
    cells.forEach((row, y) => row.forEach((cell, x) => cell === at && this.paint(picture, side, y, x, this.brush)));
  }

  press(event, picture, side, cells, y, x) {
    const step = ARROWS[event.key];
    const id = event.key.toLowerCase() === "v" ? VOID : /^\d$/.test(event.key) ? Number(event.key) : -1;
    if (step) {
      const next = cells[y + step[0]]?.[x + step[1]];
      if (!next) return;
      cells[y][x].tabIndex = -1;
      next.tabIndex = 0;
      next.focus();
    } else if (id === VOID || this.classes[id]) {
      this.paint(picture, side, y, x, id);
      this.send();
    } else return;
    event.preventDefault();
  }

  paint(picture, side, y, x, id) {
    if (id === VOID && side === "prediction") return; // a model says something everywhere
    if (picture[side][y][x] === id) return;
    picture[side][y][x] = id;
    this.isChanged = true;
    this.draw();
  }

  finish() {
    this.stroke = null;
    if (this.isChanged) this.send();
  }

  send() {
    this.isChanged = false;
    this.tell(structuredClone(this.pictures));
  }

  draw() {
    for (const { picture, side, cells } of this.grids) {
      cells.forEach((row, y) => row.forEach((cell, x) => {
        const id = picture[side][y][x];
        const truth = picture.truth[y][x];
        const isWrong = side === "prediction" && truth !== VOID && truth !== id;
        cell.className = `cell${id === VOID ? " void" : ""}${isWrong ? " wrong" : ""}`;
        cell.style.backgroundColor = id === VOID ? "" : this.classes[id].color;
        cell.textContent = id === VOID ? "" : id;
        const name = id === VOID ? "no label" : this.classes[id].name;
        cell.setAttribute("aria-label", `row ${y + 1}, column ${x + 1}: ${name}${isWrong ? ", wrong" : ""}`);
      }));
    }
  }
}

export default function ({ data, parentElement, setStateValue }) {
  const root = parentElement.querySelector(".painting");
  root.painting ??= new Painting(root);
  root.painting.show(data, (pictures) => setStateValue("pictures", pictures));
  return () => {
    root.painting?.ended.abort();
    root.painting = null;
  };
}
