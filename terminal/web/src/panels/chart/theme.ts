/** The chart's colours, read from the page's tokens: the canvas cannot use them itself. */

export interface ChartTheme {
  readonly background: string
  readonly text: string
  readonly line: string
  readonly up: string
  readonly down: string
  readonly accent: string
  readonly studies: readonly string[]
}

/** Told apart on dark and on light alike, by people who do not see red and green apart as well. */
const STUDY_COLOURS = ['#e69f00', '#56b4e9', '#cc79a7', '#009e73', '#d55e00', '#8c8cff']

export function themeOf(element: Element): ChartTheme {
  const style = getComputedStyle(element)
  const token = (name: string): string => style.getPropertyValue(name).trim()
  return {
    background: token('--surface'),
    text: token('--text-dim'),
    line: token('--line'),
    up: token('--up'),
    down: token('--down'),
    accent: token('--accent'),
    studies: STUDY_COLOURS,
  }
}

/** `#2ebd85` with a share of itself, for what lies behind something. */
export function faded(colour: string, share: number): string {
  const alpha = Math.round(share * 255)
    .toString(16)
    .padStart(2, '0')
  return /^#[0-9a-f]{6}$/i.test(colour) ? `${colour}${alpha}` : colour
}
