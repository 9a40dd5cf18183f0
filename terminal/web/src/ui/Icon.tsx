/** Small line icons by name; a name that none has is a plain square. Decoration: what they mean is said in words beside. */

const PATHS: Record<string, string> = {
  alerts: 'M8 2a4 4 0 0 0-4 4v3l-1.5 2.5h11L12 9V6a4 4 0 0 0-4-4M6.5 13.5a1.5 1.5 0 0 0 3 0',
  bell: 'M8 2a4 4 0 0 0-4 4v3l-1.5 2.5h11L12 9V6a4 4 0 0 0-4-4M6.5 13.5a1.5 1.5 0 0 0 3 0',
  chain: 'M2 3h12M2 6.3h12M2 9.6h12M2 13h12M8 3v10',
  chart: 'M2 13h12M4 10V6M4 4v1M8 12V5M8 3v1M12 9V3',
  close: 'M4 4l8 8M12 4l-8 8',
  depth: 'M2 4h8M2 7h5M2 10h7M2 13h4',
  funds: 'M2 5h12v8H2zM2 7.5h12M4 11h3',
  grip: 'M6 4v.01M10 4v.01M6 8v.01M10 8v.01M6 12v.01M10 12v.01',
  holdings: 'M3 13V7h3v6M7 13V3h3v10M11 13V9h3v4',
  menu: 'M2.5 4.5h11M2.5 8h11M2.5 11.5h11',
  moon: 'M12.5 9.5A5 5 0 0 1 6.5 3.5a5 5 0 1 0 6 6',
  more: 'M3 8v.01M8 8v.01M13 8v.01',
  movers: 'M2 11l4-4 3 3 5-6M14 8V4h-4',
  orders: 'M4 2h8v12H4zM6 5h4M6 8h4M6 11h2',
  panels: 'M2 3h12v10H2zM6 3v10M6 8h8',
  plus: 'M8 3v10M3 8h10',
  positions: 'M2 13h12M4 13V8h3v5M9 13V4h3v9',
  search: 'M7 2.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9M10.5 10.5L14 14',
  settings: 'M8 5.5a2.5 2.5 0 1 0 0 5 2.5 2.5 0 0 0 0-5M8 1.5v2M8 12.5v2M1.5 8h2M12.5 8h2M3.4 3.4l1.4 1.4M11.2 11.2l1.4 1.4M3.4 12.6l1.4-1.4M11.2 4.8l1.4-1.4',
  statement: 'M3 2h7l3 3v9H3zM5.5 7.5h5M5.5 10.5h5',
  strategy: 'M2 12h3l3-8 3 5h3',
  sun: 'M8 5a3 3 0 1 0 0 6 3 3 0 0 0 0-6M8 1.5v1.5M8 13v1.5M1.5 8H3M13 8h1.5M3.4 3.4l1 1M11.6 11.6l1 1M3.4 12.6l1-1M11.6 4.4l1-1',
  ticket: 'M2 5h12v2a1.2 1.2 0 0 0 0 2.4V12H2V9.400a1.2 1.2 0 0 0 0-2.400zM9 5v7',
  trades: 'M3 5h9M9 2l3 3-3 3M13 11H4M7 8l-3 3 3 3',
  user: 'M8 3a2.5 2.5 0 1 0 0 5 2.5 2.5 0 0 0 0-5M3 14a5 5 0 0 1 10 0',
  watchlist: 'M8 2.500l1.7 3.5 3.8.5-2.8 2.7.7 3.800L8 11.2 4.6 13l.7-3.800L2.5 6.5 6.3 6z',
}
const SQUARE = 'M3 3h10v10H3z'

export function Icon({ name, size = 16 }: { name: string; size?: number }) {
  return (
    <svg
      width={size}
      height={size}
      viewBox="0 0 16 16"
      fill="none"
      stroke="currentColor"
      stroke-width="1.4"
      stroke-linecap="round"
      stroke-linejoin="round"
      aria-hidden="true"
    >
      <path d={PATHS[name] ?? SQUARE} />
    </svg>
  )
}

/** A button that shows an icon and says its name. */
export function IconButton(props: {
  icon: string
  name: string
  onClick: (event: MouseEvent) => void
  expanded?: boolean
  disabled?: boolean
}) {
  return (
    <button
      type="button"
      class="icon-button"
      aria-label={props.name}
      title={props.name}
      aria-expanded={props.expanded}
      disabled={props.disabled}
      onClick={props.onClick}
    >
      <Icon name={props.icon} />
    </button>
  )
}
