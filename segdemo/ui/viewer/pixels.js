// Label maps in the browser: fetched once, decoded to exact ids, painted for the part of the picture that is in view.

const MOST_KEPT = 24;
const VOID = 255;
const decodedFiles = new Map(); // url -> promise of { width, height, values }, the last used at the end

/**
 * The numbers in a PNG file, exactly: no colour management, no alpha. Values: the array that holds them, of bytes (red,
 * which is the grey of a grey picture) or of 16 bits (red and 256 · green).
 */
function decode(url, Values = Uint8Array) {
  const known = decodedFiles.get(url) ?? fetchNumbers(url, Values);
  decodedFiles.delete(url);
  decodedFiles.set(url, known);
  known.catch(() => decodedFiles.delete(url));
  for (const old of decodedFiles.keys()) {
    if (decodedFiles.size <= MOST_KEPT) break;
    decodedFiles.delete(old);
  }
  return known;
}

async function fetchNumbers(url, Values) {
  const bitmap = await fetchBitmap(url);
  const { width, height } = bitmap;
  const rgba = pixelsOf(bitmap);
  bitmap.close();
  return { width, height, values: new Values(new Uint32Array(rgba.buffer)) }; // what does not fit in is cut off
}

async function fetchBitmap(url) {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`${answer.status} for ${url}`);
  return createImageBitmap(await answer.blob(), { colorSpaceConversion: "none", premultiplyAlpha: "none" });
}

function pixelsOf(bitmap) {
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  return context.getImageData(0, 0, bitmap.width, bitmap.height).data;
}

/** How many pixels have each id: 256 numbers. */
function countIds(ids) {
  const counts = new Uint32Array(256);
  for (let i = 0; i < ids.length; i++) counts[ids[i]]++;
  return counts;
}

/** A colour as a canvas stores it: little-endian RGBA in one number. */
function packed([red, green, blue], alpha) {
  return ((Math.round(255 * alpha) << 24) | (blue << 16) | (green << 8) | red) >>> 0;
}

/**
 * What a pane shows over the picture, at the resolution of the screen: `out` (width × height) is filled.
 *
 * columns, rows: the picture's column and row under each column and row of the pane, -1 outside. table: by id, the packed
 * colour of its pixels. edge: by id, that of a region's rim, or null for none. objects: by pixel the number of its object,
 * which has a rim of its own, or null. adjust(color, index, id, diagonal), or null: changes the colour of single pixels;
 * diagonal: the pixel's column and row on the screen added up, for lines.
 */
function paint(out, ids, pictureWidth, columns, rows, { table, edge = null, objects = null, adjust = null }) {
  const width = columns.length;
  let at = 0;
  for (let y = 0; y < rows.length; y++) {
    const row = rows[y];
    if (row < 0) {
      out.fill(0, at, at + width);
      at += width;
      continue;
    }
    const start = row * pictureWidth;
    const above = y > 0 && rows[y - 1] >= 0 ? rows[y - 1] * pictureWidth : start;
    let left = -1;
    for (let x = 0; x < width; x++, at++) {
      const column = columns[x];
      if (column < 0) {
        out[at] = 0;
        continue;
      }
      const index = start + column;
      const id = ids[index];
      let color = table[id];
      if (edge !== null) {
        const before = left < 0 ? index : start + left;
        const over = above + column;
        if (ids[before] !== id || ids[over] !== id) color = edge[id];
        else if (objects !== null && (objects[before] !== objects[index] || objects[over] !== objects[index])) color = edge[id];
      }
      out[at] = adjust === null ? color : adjust(color, index, id, x + y);
      left = column;
    }
  }
}

/** A packed colour with its alpha multiplied by a share. */
function faded(color, share) {
  return (((color >>> 24) * share) << 24) | (color & 0xffffff);
}
