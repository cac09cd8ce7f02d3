import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';

export interface Line {
  name: string;
  values: (number | null)[];
  /** The last value, in words. */
  now: string;
}

/** A moment that the chart points out. */
export interface Mark {
  time: number;
  isGood: boolean;
}

const colours = ['--accent', '--second', '--good', '--muted', '--fifth', '--sixth'];
const redraws = matchMedia('(prefers-color-scheme: dark)');

/** What a custom property comes to under the theme in force. */
function colour(of: Element, property: string): string {
  const probe = document.createElement('i');
  probe.style.color = `var(${property})`;
  of.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}

function optionsOf(box: HTMLElement, lines: Line[], marks: () => Mark[]): uPlot.Options {
  const [text, grid, good, bad] = [colour(box, '--muted'), colour(box, '--line'), colour(box, '--good'), colour(box, '--bad')];
  /** A line from top to bottom at each mark; broken where it is a good one, so that it takes no colours to tell them apart. */
  const drawMarks = ({ ctx, bbox, valToPos }: uPlot) => {
    ctx.save();
    ctx.lineWidth = 2 * devicePixelRatio;
    for (const mark of marks()) {
      const x = Math.round(valToPos(mark.time, 'x', true));
      if (x < bbox.left || x > bbox.left + bbox.width) continue;
      ctx.strokeStyle = mark.isGood ? good : bad;
      ctx.setLineDash(mark.isGood ? [4 * devicePixelRatio, 4 * devicePixelRatio] : []);
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
    }
    ctx.restore();
  };
  const axis = { stroke: text, grid: { stroke: grid, width: 1 }, ticks: { stroke: grid, width: 1 }, font: '12px system-ui, sans-serif' };
  return {
    width: box.clientWidth,
    height: 150,
    legend: { show: false },
    cursor: { show: false },
    scales: { y: { range: (_, low, high) => (low === high ? [low - 1, high + 1] : [Math.min(0, low) === low ? low : Math.max(0, low - (high - low) * 0.1), high + (high - low) * 0.1]) } },
    hooks: { draw: [drawMarks] },
    axes: [{ ...axis, space: 70 }, { ...axis, size: 64 }],
    series: [{}, ...lines.map((line, i) => ({ label: line.name, stroke: colour(box, colours[i % colours.length]), width: 2, spanGaps: false, points: { show: false } }))],
  };
}

/** Lines over the last ten minutes. Whoever does not see them reads the caption, which has the latest values. */
export function Chart({ title, times, lines, marks = [] }: { title: string; times: number[]; lines: Line[]; marks?: Mark[] }) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const latest = useRef<uPlot.AlignedData>([[]]);
  latest.current = [times, ...lines.map((line) => line.values)] as uPlot.AlignedData;
  const marked = useRef(marks);
  marked.current = marks;
  const names = lines.map((line) => line.name).join(' ');

  useEffect(() => {
    const draw = () => {
      plot.current?.destroy();
      plot.current = new uPlot(optionsOf(box.current!, lines, () => marked.current), latest.current, box.current!);
    };
    draw();
    const resized = new ResizeObserver(() => plot.current?.setSize({ width: box.current!.clientWidth, height: 150 }));
    resized.observe(box.current!);
    addEventListener('themechange', draw);
    redraws.addEventListener('change', draw);
    return () => {
      resized.disconnect();
      removeEventListener('themechange', draw);
      redraws.removeEventListener('change', draw);
      plot.current?.destroy();
      plot.current = null;
    };
  }, [names]);
  useEffect(() => plot.current?.setData(latest.current));

  return (
    <figure class="panel">
      <figcaption>
        <strong>{title}</strong>
        {lines.map((line, i) => (
          <span class="key" key={line.name}>
            <i class={`swatch s${i % colours.length}`} aria-hidden="true" />{line.name} {line.now}
          </span>
        ))}
      </figcaption>
      <div ref={box} class="plot" aria-hidden="true" />
    </figure>
  );
}
