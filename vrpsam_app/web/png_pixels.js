// PNG read and written pixel by pixel. The browser's own decoder may pass pixels through colour
// management, and some blur them on purpose; a mask has to be exact. Joined to canvas.js and board.js.

const PNG_SIGNATURE = [137, 80, 78, 71, 13, 10, 26, 10];

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, value) => {
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  return value;
});

function crc32(bytes) {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = CRC_TABLE[(crc ^ byte) & 255] ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

async function through(transform, bytes) {
  const stream = new Blob([bytes].flat()).stream().pipeThrough(transform);
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

function pngChunk(type, data) {
  const chunk = new Uint8Array(data.length + 12);
  const view = new DataView(chunk.buffer);
  view.setUint32(0, data.length);
  for (let i = 0; i < 4; i++) chunk[4 + i] = type.charCodeAt(i);
  chunk.set(data, 8);
  view.setUint32(data.length + 8, crc32(chunk.subarray(4, data.length + 8)));
  return chunk;
}

// Returns base64 of a PNG with one bit a pixel, white where the cell of `step` pixels a side is not 0.
async function writeBitPng(width, height, cells, step = 1) {
  const across = Math.ceil(width / step);
  const stride = 1 + ((width + 7) >> 3);
  const rows = new Uint8Array(stride * height); // each row begins with its filter, 0 for none
  for (let y = 0; y < height; y++) {
    const start = y * stride;
    if (y % step) {
      rows.copyWithin(start, start - stride, start);
      continue;
    }
    const first = (y / step) * across;
    for (let x = 0; x < width; x++) {
      if (cells[first + Math.floor(x / step)]) rows[start + 1 + (x >> 3)] |= 128 >> (x & 7);
    }
  }
  const header = new Uint8Array(13);
  new DataView(header.buffer).setUint32(0, width);
  new DataView(header.buffer).setUint32(4, height);
  header[8] = 1; // bit depth; colour type 0 is grey
  const parts = [
    Uint8Array.from(PNG_SIGNATURE),
    pngChunk('IHDR', header),
    pngChunk('IDAT', await through(new CompressionStream('deflate'), rows)),
    pngChunk('IEND', new Uint8Array(0)),
  ];
  let text = '';
  for (const part of parts) {
    for (let at = 0; at < part.length; at += 8192) {
      text += String.fromCharCode(...part.subarray(at, at + 8192));
    }
  }
  return btoa(text);
}

function paeth(left, up, corner) {
  const guess = left + up - corner;
  const [a, b, c] = [Math.abs(guess - left), Math.abs(guess - up), Math.abs(guess - corner)];
  if (a <= b && a <= c) return left;
  return b <= c ? up : corner;
}

// Returns {width, height, pixels} of a data URL that holds an 8-bit grey PNG.
async function readGreyPng(url) {
  const bytes = Uint8Array.from(atob(url.slice(url.indexOf(',') + 1)), (c) => c.charCodeAt(0));
  const view = new DataView(bytes.buffer);
  const [width, height] = [view.getUint32(16), view.getUint32(20)];
  if (bytes[24] !== 8 || bytes[25] !== 0 || bytes[28] !== 0) throw new Error('not an 8-bit grey PNG');
  const data = [];
  for (let at = 8; at < bytes.length; at += view.getUint32(at) + 12) {
    const type = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    if (type === 'IDAT') data.push(bytes.subarray(at + 8, at + 8 + view.getUint32(at)));
  }
  const rows = await through(new DecompressionStream('deflate'), data);
  const pixels = new Uint8Array(width * height);
  for (let y = 0, from = 0, to = 0; y < height; y++) {
    const filter = rows[from++];
    for (let x = 0; x < width; x++, from++, to++) {
      const left = x ? pixels[to - 1] : 0;
      const up = y ? pixels[to - width] : 0;
      let guess = 0;
      if (filter === 1) guess = left;
      else if (filter === 2) guess = up;
      else if (filter === 3) guess = (left + up) >> 1;
      else if (filter === 4) guess = paeth(left, up, x && y ? pixels[to - width - 1] : 0);
      pixels[to] = rows[from] + guess;
    }
  }
  return { width, height, pixels };
}
