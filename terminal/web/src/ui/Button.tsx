/** A button; `tone` says what it does: buy, sell, danger, primary, or plain. */

import type { ComponentChildren, ButtonHTMLAttributes } from 'preact'

export interface ButtonProps extends Omit<ButtonHTMLAttributes, 'icon'> {
  tone?: 'plain' | 'primary' | 'buy' | 'sell' | 'danger' | 'quiet'
  small?: boolean
  /** Something is on its way: not to be pressed again. */
  busy?: boolean
  children?: ComponentChildren
}

export function Button({ tone = 'plain', small, busy, disabled, class: more, children, ...rest }: ButtonProps) {
  const classes = ['button', `button-${tone}`, small && 'button-small', more].filter(Boolean).join(' ')
  return (
    <button type="button" class={classes} disabled={Boolean(disabled) || busy} aria-busy={busy} {...rest}>
      {children}
    </button>
  )
}
