// Label maps in the browser: fetched once, decoded to exact ids, painted for the part of the picture that is in view.

const MOST_KEPT = 24;
const VOID = 255;
const HEADER = 0x49484452, DATA = 0x49444154; // a PNG's chunks IHDR and IDAT
const EIGHT_BITS_OF_PALETTE = 0x0803; // bit depth and colour type
const decodedFiles = new Map(); // url -> promise of a map, the last used at the end

/** The bytes of a map in a PNG file, exactly as they were written: { width, height, values }. */
function decode(url) {
  const known = decodedFiles.get(url) ?? fetchMap(url);
  decodedFiles.delete(url);
  decodedFiles.set(url, known);
  known.catch(() => decodedFiles.delete(url));
  for (const old of decodedFiles.keys()) {
    if (decodedFiles.size <= MOST_KEPT) break;
    decodedFiles.delete(old);
  }
  return known;
}

/**
 * A map is written with a palette of 256 greys and unfiltered rows (overlay.encode_png): its bytes need no picture, no
 * canvas and no colours, which takes a third of the time and a quarter of the memory.
 */
async function fetchMap(url) {
  const file = new DataView(await (await fetched(url)).arrayBuffer());
  const packed = [];
  let width = 0, height = 0, isMap = false;
  for (let at = 8; at < file.byteLength; at += 12 + file.getUint32(at)) {
    const chunk = file.getUint32(at + 4);
    if (chunk === HEADER) {
      [width, height] = [file.getUint32(at + 8), file.getUint32(at + 12)];
      isMap = file.getUint16(at + 16) === EIGHT_BITS_OF_PALETTE;
    } else if (chunk === DATA) packed.push(new Uint8Array(file.buffer, at + 8, file.getUint32(at)));
  }
  const stream = new Blob(packed).stream().pipeThrough(new DecompressionStream("deflate"));
  const rows = new Uint8Array(await new Response(stream).arrayBuffer());
  for (let y = 0; y < height; y++) {
    const start = y * (width + 1);
    isMap &&= rows[start] === 0;
    rows.copyWithin(y * width, start + 1, start + 1 + width);
  }
  if (!isMap || rows.length !== height * (width + 1)) throw new Error(`no map in ${url}`);
  return { width, height, values: rows.subarray(0, width * height) };
}

/** Numbers of objects: where there are more than 255, a second map stands below the first, of 256 times as much. */
function numbersOf({ width, height, values }, rows) {
  if (height === rows) return values;
  return Uint16Array.from({ length: width * rows }, (_, i) => values[i] + 256 * values[i + width * rows]);
}

async function fetched(url) {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`${answer.status} for ${url}`);
  return answer;
}

async function fetchBitmap(url) {
  return createImageBitmap(await (await fetched(url)).blob(), { colorSpaceConversion: "none", premultiplyAlpha: "none" });
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
