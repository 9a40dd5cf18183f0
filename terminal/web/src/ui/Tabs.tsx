/** Tabs by the ARIA pattern: arrow keys move, the chosen one is in the tab order. */

import type { ComponentChildren } from 'preact'

export interface TabsProps {
  label: string
  tabs: readonly { id: string; title: ComponentChildren }[]
  chosen: string | null
  onChoose: (id: string) => void
}

export function Tabs({ label, tabs, chosen, onChoose }: TabsProps) {
  const move = (event: KeyboardEvent) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key]
    if (!step || !tabs.length) return
    event.preventDefault()
    const place = tabs.findIndex((tab) => tab.id === chosen)
    const next = tabs[(place + step + tabs.length) % tabs.length]
    if (!next) return
    onChoose(next.id)
    const list = event.currentTarget as HTMLElement
    list.querySelector<HTMLElement>(`[data-tab="${CSS.escape(next.id)}"]`)?.focus()
  }
  return (
    <div class="tabs" role="tablist" aria-label={label} onKeyDown={move}>
      {tabs.map((tab) => (
        <button
          key={tab.id}
          type="button"
          role="tab"
          class="tab"
          data-tab={tab.id}
          aria-selected={tab.id === chosen}
          tabIndex={tab.id === chosen ? 0 : -1}
          onClick={() => onChoose(tab.id)}
        >
          {tab.title}
        </button>
      ))}
    </div>
  )
}
