/**
 * @file A figure as a file of its own. What stands on the page, drawings and HTML alike, becomes one SVG without style sheets: shapes are
 * copied with their computed paint, backgrounds become rectangles, words become text at their place. A PNG is that SVG drawn twice as large.
 */
import { methodInfo } from '../../worker/methods.ts';
import type { LegendEntry } from './names.ts';
import { markerPath } from './series.ts';

interface SaveOptions {
  readonly kind: 'svg' | 'png';
  readonly title: string;
  readonly unit: string;
  readonly legend: readonly LegendEntry[];
}

const namespace = 'http://www.w3.org/2000/svg';
const padding = 16;
const captionHeight = 28;
const legendHeight = 24;

/** What a shape or text looks like comes from these properties. */
const painted = [
  'fill',
  'fill-opacity',
  'stroke',
  'stroke-opacity',
  'stroke-width',
  'stroke-dasharray',
  'stroke-linejoin',
  'opacity',
  'font-family',
  'font-size',
  'font-weight',
  'font-style',
  'text-anchor',
  'paint-order',
];

function make(name: string, attributes: Readonly<Record<string, string | number>>, text = ''): SVGElement {
  const element = document.createElementNS(namespace, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  element.textContent = text;
  return element;
}

const pixel = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
const converted = new Map<string, string>();

/** Mixed colours are computed in oklab, which other programs do not read: everything becomes sRGB. */
function toRgb(colour: string): string {
  if (!/^(oklab|color|oklch|lab|lch)\(/.test(colour) || !pixel) return colour;
  let rgb = converted.get(colour);
  if (rgb === undefined) {
    pixel.clearRect(0, 0, 1, 1);
    pixel.fillStyle = colour;
    pixel.fillRect(0, 0, 1, 1);
    const [red, green, blue] = pixel.getImageData(0, 0, 1, 1).data;
    rgb = `rgb(${red}, ${green}, ${blue})`;
    converted.set(colour, rgb);
  }
  return rgb;
}

const isShown = (style: CSSStyleDeclaration): boolean => style.display !== 'none' && style.visibility !== 'hidden';

/** A copy of a drawing whose shapes carry their computed paint. */
function copyDrawing(source: SVGElement): SVGElement {
  const copy = source.cloneNode(false) as SVGElement;
  const style = getComputedStyle(source);
  for (const attribute of ['class', 'style', 'tabindex']) copy.removeAttribute(attribute);
  for (const property of painted) copy.setAttribute(property, toRgb(style.getPropertyValue(property)));
  for (const child of source.childNodes) {
    if (child instanceof SVGElement) {
      if (isShown(getComputedStyle(child))) copy.append(copyDrawing(child));
    } else if (child instanceof Text) copy.append(child.cloneNode());
  }
  return copy;
}

/** Adds what `element` shows to `target`, with `origin` as its zero. */
function addElement(element: Element, target: SVGElement, origin: DOMRect): void {
  const style = getComputedStyle(element);
  if (!isShown(style) || element.matches('.plate-menu, .figure-overlay, input')) return;
  const box = element.getBoundingClientRect();
  if (element instanceof SVGSVGElement) {
    const copy = copyDrawing(element);
    for (const [key, value] of Object.entries({
      x: box.left - origin.left,
      y: box.top - origin.top,
      width: box.width,
      height: box.height,
      overflow: 'visible',
    }))
      copy.setAttribute(key, String(value));
    target.append(copy);
    return;
  }
  if (!/^(transparent|rgba\(0, 0, 0, 0\))$/.test(style.backgroundColor) && box.width > 0)
    target.append(
      make('rect', {
        x: box.left - origin.left,
        y: box.top - origin.top,
        width: box.width,
        height: box.height,
        fill: toRgb(style.backgroundColor),
        opacity: style.opacity,
      }),
    );
  for (const child of element.childNodes) {
    if (child instanceof Element) addElement(child, target, origin);
    else if (child instanceof Text && child.data.trim() !== '') addText(child, style, target, origin);
  }
}

function addText(text: Text, style: CSSStyleDeclaration, target: SVGElement, origin: DOMRect): void {
  const range = document.createRange();
  range.selectNodeContents(text);
  const box = range.getBoundingClientRect();
  if (box.width < 2) return;
  const attributes = {
    x: box.left - origin.left,
    y: box.top - origin.top + box.height / 2,
    'dominant-baseline': 'central',
    fill: toRgb(style.color),
  };
  const fonts = {
    'font-family': style.fontFamily,
    'font-size': style.fontSize,
    'font-weight': style.fontWeight,
    'font-style': style.fontStyle,
  };
  target.append(make('text', { ...attributes, ...fonts }, text.data.trim()));
}

/** The names of the runs, with their lines and markers. */
function legendOf(legend: readonly LegendEntry[], font: string, ink: string, colour: (name: string) => string): SVGElement {
  const group = make('g', { 'font-family': font, 'font-size': 12, fill: ink });
  let left = 0;
  for (const { name, method } of legend) {
    const paint = colour(`--series-${method}`);
    const dash = getComputedStyle(document.documentElement).getPropertyValue(`--dash-${method}`).trim();
    group.append(make('line', { x1: left, x2: left + 28, y1: 0, y2: 0, stroke: paint, 'stroke-width': 2, 'stroke-dasharray': dash }));
    group.append(make('path', { d: markerPath(method), transform: `translate(${left + 14} 0)`, fill: paint }));
    group.append(make('text', { x: left + 34, y: 0, 'dominant-baseline': 'central' }, name === '' ? methodInfo(method).name : name));
    left += 34 + name.length * 7 + 20;
  }
  return group;
}

/** The colour of a token as the page shows it now. */
function colourReader(element: Element): (name: string) => string {
  return (name) => {
    const probe = document.createElement('i');
    probe.style.color = `var(${name})`;
    element.append(probe);
    const { color } = getComputedStyle(probe);
    probe.remove();
    return color;
  };
}

/** The figure as one SVG element: caption and unit, the drawing, the names of the runs. */
function figureSvg(figure: HTMLElement, { title, unit, legend }: SaveOptions): SVGElement {
  const drawing = figure.querySelector('.plate-drawing') ?? figure;
  const box = drawing.getBoundingClientRect();
  const colour = colourReader(figure);
  const { fontFamily } = getComputedStyle(figure);
  const ink = colour('--ink');
  const width = Math.ceil(box.width) + 2 * padding;
  const height = Math.ceil(box.height) + 2 * padding + captionHeight + (legend.length > 0 ? legendHeight : 0);
  const svg = make('svg', { xmlns: namespace, width, height, viewBox: `0 0 ${width} ${height}` });
  svg.append(make('rect', { width, height, fill: colour('--paper') }));
  const caption = make('text', { x: padding, y: padding + 12, 'font-family': fontFamily, 'font-size': 13, fill: ink });
  caption.append(make('tspan', { 'font-weight': 600 }, title), make('tspan', { dx: 8, 'font-size': 12, fill: colour('--ink-2') }, unit));
  const body = make('g', { transform: `translate(${padding} ${padding + captionHeight})` });
  addElement(drawing, body, box);
  const names = make('g', { transform: `translate(${padding} ${height - padding})` });
  names.append(legendOf(legend, fontFamily, ink, colour));
  svg.append(caption, body, names);
  return svg;
}

async function toPng(svg: SVGElement, source: string): Promise<Blob> {
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(source)}`;
  await image.decode();
  const sheet = document.createElement('canvas');
  sheet.width = Number(svg.getAttribute('width')) * 2;
  sheet.height = Number(svg.getAttribute('height')) * 2;
  sheet.getContext('2d')?.drawImage(image, 0, 0, sheet.width, sheet.height);
  return new Promise((resolve, reject) => {
    sheet.toBlob((blob) => (blob ? resolve(blob) : reject(new Error('The browser could not write the PNG.'))), 'image/png');
  });
}

/** Offers the figure as a download named after its caption. */
export async function saveFigure(figure: HTMLElement, options: SaveOptions): Promise<void> {
  const svg = figureSvg(figure, options);
  const source = new XMLSerializer().serializeToString(svg);
  const blob = options.kind === 'png' ? await toPng(svg, source) : new Blob([source], { type: 'image/svg+xml' });
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = `${options.title
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-|-$/g, '')}.${options.kind}`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
