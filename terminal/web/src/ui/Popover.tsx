/** A button and what opens below it: closed by Esc, by a press elsewhere, and by whatever inside says so. */

import type { ComponentChildren } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'

export interface PopoverProps {
  /** The name of what opens. */
  label: string
  class?: string
  /** What the button shows. */
  button: ComponentChildren
  title?: string
  left?: boolean
  onOpen?: () => void
  children: (close: () => void) => ComponentChildren
}

export function Popover({ label, class: classes = 'chip', button, title, left, onOpen, children }: PopoverProps) {
  const [open, setOpen] = useState(false)
  const anchor = useRef<HTMLDivElement>(null)
  const close = () => {
    setOpen(false)
    anchor.current?.querySelector<HTMLElement>('button')?.focus()
  }
  useEffect(() => {
    if (!open) return undefined
    const elsewhere = (event: PointerEvent) => {
      if (!anchor.current?.contains(event.target as Node)) setOpen(false)
    }
    document.addEventListener('pointerdown', elsewhere)
    return () => document.removeEventListener('pointerdown', elsewhere)
  }, [open])
  const toggle = () => {
    if (!open) onOpen?.()
    setOpen(!open)
  }
  return (
    <div
      ref={anchor}
      class="popover-anchor"
      onKeyDown={(event) => {
        if (event.key !== 'Escape' || !open) return
        event.stopPropagation()
        close()
      }}
    >
      <button type="button" class={classes} title={title} aria-expanded={open} onClick={toggle}>
        <span class="unseen">{label}: </span>
        {button}
      </button>
      {open && (
        <div class={left ? 'popover popover-left' : 'popover'} role="region" aria-label={label}>
          {children(close)}
        </div>
      )}
    </div>
  )
}
