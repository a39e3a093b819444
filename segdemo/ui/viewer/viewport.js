// One window onto the picture for all panes: where its centre is, and how many screen pixels a picture pixel takes.

const LARGEST_SCALE = 32;
const NEAREST_FROM = 4; // screen pixels per picture pixel; from here on pixels are squares

class Viewport {
  constructor(width, height) {
    this.picture = { width, height };
    this.pane = { width: 1, height: 1 };
    this.isFitted = true;
    this.fit();
  }

  get fitScale() {
    return Math.min(this.pane.width / this.picture.width, this.pane.height / this.picture.height);
  }

  fit() {
    this.isFitted = true;
    this.scale = this.fitScale;
    this.x = this.picture.width / 2;
    this.y = this.picture.height / 2;
  }

  resize(width, height) {
    this.pane = { width, height };
    if (this.isFitted) this.fit();
    else this.settle();
  }

  /** Zoom by a factor and keep what lies at a point of the pane where it is. */
  zoom(factor, at = { x: this.pane.width / 2, y: this.pane.height / 2 }) {
    const before = this.toPicture(at);
    this.scale = Math.max(this.fitScale, Math.min(LARGEST_SCALE, this.scale * factor));
    const after = this.toPicture(at);
    this.x += before.x - after.x;
    this.y += before.y - after.y;
    this.isFitted = this.scale <= this.fitScale * 1.001;
    this.settle();
  }

  /** Bring a part of the picture to the middle, with some room around it. */
  look([left, top, right, bottom]) {
    const fits = Math.min(this.pane.width / (right - left), this.pane.height / (bottom - top));
    this.scale = Math.max(this.fitScale, Math.min(LARGEST_SCALE, 0.75 * fits));
    this.isFitted = false;
    this.x = (left + right) / 2;
    this.y = (top + bottom) / 2;
    this.settle();
  }

  /** Move by screen pixels. */
  pan(dx, dy) {
    this.x -= dx / this.scale;
    this.y -= dy / this.scale;
    this.settle();
  }

  /** Keep the picture in view: no side leaves the pane while there is more to see on the other. */
  settle() {
    const inside = (at, size, seen) => (seen >= size ? size / 2 : Math.max(seen / 2, Math.min(size - seen / 2, at)));
    this.x = inside(this.x, this.picture.width, this.pane.width / this.scale);
    this.y = inside(this.y, this.picture.height, this.pane.height / this.scale);
  }

  get left() {
    return this.x - this.pane.width / this.scale / 2;
  }

  get top() {
    return this.y - this.pane.height / this.scale / 2;
  }

  toPicture({ x, y }) {
    return { x: this.left + x / this.scale, y: this.top + y / this.scale };
  }

  toPane({ x, y }) {
    return { x: (x - this.left) * this.scale, y: (y - this.top) * this.scale };
  }

  /** The picture's columns under the pane's columns; -1 outside. `ratio`: device pixels per screen pixel. */
  columns(ratio) {
    return Viewport.samples(Math.round(this.pane.width * ratio), this.left, this.scale * ratio, this.picture.width);
  }

  rows(ratio) {
    return Viewport.samples(Math.round(this.pane.height * ratio), this.top, this.scale * ratio, this.picture.height);
  }

  static samples(count, start, scale, size) {
    const samples = new Int32Array(count);
    for (let i = 0; i < count; i++) {
      const at = Math.floor(start + (i + 0.5) / scale);
      samples[i] = at < 0 || at >= size ? -1 : at;
    }
    return samples;
  }

  /** For the address: centre as shares of the picture, and the zoom over the fitted size. */
  record() {
    if (this.isFitted) return null;
    const share = (value) => Number(value.toFixed(4));
    return [share(this.x / this.picture.width), share(this.y / this.picture.height), share(this.scale / this.fitScale)];
  }

  restore([x, y, zoom]) {
    this.scale = Math.max(this.fitScale, Math.min(LARGEST_SCALE, zoom * this.fitScale));
    this.isFitted = this.scale <= this.fitScale * 1.001;
    this.x = x * this.picture.width;
    this.y = y * this.picture.height;
    this.settle();
  }
}
