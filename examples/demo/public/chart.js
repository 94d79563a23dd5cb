const GRID_LINES = 4;
const LABEL_WIDTH = 46;

/** Draws the newest `capacity` values of each series on a canvas; a null value leaves a gap. */
export class Chart {
  /**
   * @param {HTMLCanvasElement} canvas
   * @param {string[]} colors names of CSS custom properties, one for each series
   * @param {{ capacity: number, format: (value: number) => string, floor: number }} options
   *   `floor`: the scale reaches at least this far
   */
  constructor(canvas, colors, { capacity, format, floor }) {
    this.canvas = canvas;
    this.colors = colors;
    this.capacity = capacity;
    this.format = format;
    this.floor = floor;
    this.rows = [];
    this.isDirty = false;
    new ResizeObserver(() => this.invalidate()).observe(canvas);
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.invalidate());
  }

  /** Adds one value per series. */
  push(values) {
    this.rows.push(values);
    if (this.rows.length > this.capacity) this.rows.shift();
    this.invalidate();
  }

  invalidate() {
    if (this.isDirty) return;
    this.isDirty = true;
    requestAnimationFrame(() => {
      this.isDirty = false;
      this.draw();
    });
  }

  draw() {
    const { canvas } = this;
    const width = canvas.clientWidth;
    const height = canvas.clientHeight;
    const scale = devicePixelRatio || 1;
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
    const context = canvas.getContext('2d');
    context.scale(scale, scale);
    const plot = { left: LABEL_WIDTH, top: 8, width: width - LABEL_WIDTH - 4, height: height - 16 };
    const top = niceCeiling(Math.max(this.floor, ...this.rows.flat()));
    this.drawGrid(context, plot, top);
    // The first series is the one that matters: drawn last, on top.
    for (let i = this.colors.length - 1; i >= 0; i--) this.drawSeries(context, plot, top, i);
  }

  drawGrid(context, plot, top) {
    const style = getComputedStyle(this.canvas);
    context.strokeStyle = style.getPropertyValue('--grid');
    context.fillStyle = style.getPropertyValue('--muted');
    context.font = `11px ${style.fontFamily}`;
    context.textAlign = 'right';
    context.textBaseline = 'middle';
    context.lineWidth = 1;
    for (let i = 0; i <= GRID_LINES; i++) {
      const y = Math.round(plot.top + (plot.height * i) / GRID_LINES) + 0.5;
      context.beginPath();
      context.moveTo(plot.left, y);
      context.lineTo(plot.left + plot.width, y);
      context.stroke();
      if (i % 2 === 0) {
        context.fillText(this.format((top * (GRID_LINES - i)) / GRID_LINES), plot.left - 6, y);
      }
    }
  }

  drawSeries(context, plot, top, index) {
    context.strokeStyle = getComputedStyle(this.canvas).getPropertyValue(this.colors[index]);
    context.lineWidth = 1.75;
    context.lineJoin = 'round';
    context.beginPath();
    const step = plot.width / (this.capacity - 1);
    let isDrawing = false;
    this.rows.forEach((row, i) => {
      const value = row[index];
      if (value === null) {
        isDrawing = false;
        return;
      }
      const x = plot.left + plot.width - (this.rows.length - 1 - i) * step;
      const y = plot.top + plot.height * (1 - value / top);
      if (isDrawing) context.lineTo(x, y);
      else context.moveTo(x, y);
      isDrawing = true;
    });
    context.stroke();
  }
}

/** The next of 1, 2, 4, 10, 20, 40, ...: halves and quarters of it read well. */
function niceCeiling(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 4, 10].find((factor) => factor * power >= value) * power;
}
