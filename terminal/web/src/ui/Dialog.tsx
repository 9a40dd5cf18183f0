/** A modal dialog on the browser's own element: focus is kept inside, Esc closes, focus returns. */

import type { ComponentChildren } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import { useUniqueId } from './uniqueId'

export interface DialogProps {
  title: string
  onClose: () => void
  children: ComponentChildren
  /** The buttons below. */
  actions?: ComponentChildren
  wide?: boolean
}

export function Dialog({ title, onClose, children, actions, wide }: DialogProps) {
  const element = useRef<HTMLDialogElement>(null)
  const heading = useUniqueId()
  useEffect(() => {
    element.current?.showModal()
  }, [])
  return (
    <dialog
      ref={element}
      class={wide ? 'dialog dialog-wide' : 'dialog'}
      aria-labelledby={heading}
      onCancel={(event) => {
        event.preventDefault()
        onClose()
      }}
      onKeyDown={(event) => event.stopPropagation()}
    >
      <h2 id={heading}>{title}</h2>
      <div class="dialog-body">{children}</div>
      {actions && <div class="dialog-actions">{actions}</div>}
    </dialog>
  )
}
