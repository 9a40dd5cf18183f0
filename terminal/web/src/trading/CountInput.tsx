/** A whole number: arrows step it, with Shift by ten. */

import { useEffect, useState } from 'preact/hooks'
import type { Ref } from 'preact'

import { Field } from '../ui/Field'

interface CountInputProps {
  label: string
  value: number
  step?: number
  least?: number
  onValue: (count: number) => void
  hint?: string | undefined
  error?: string | undefined
  disabled?: boolean
  hideLabel?: boolean
  inputRef?: Ref<HTMLInputElement>
}

const LEAP = 10

export function CountInput({ label, value, step = 1, least = 0, onValue, inputRef, ...rest }: CountInputProps) {
  const [text, setText] = useState(String(value))
  useEffect(() => {
    if (read(text) !== value) setText(String(value))
  }, [value])
  const arrow = (event: KeyboardEvent) => {
    const direction = ({ ArrowUp: 1, ArrowDown: -1 } as const)[event.key]
    if (!direction) return
    event.preventDefault()
    onValue(Math.max(value + direction * step * (event.shiftKey ? LEAP : 1), least))
  }
  return (
    <Field
      label={label}
      value={text}
      inputMode="numeric"
      onKeyDown={arrow}
      onValue={(typed) => {
        setText(typed)
        onValue(read(typed))
      }}
      onBlur={() => setText(String(value))}
      {...(inputRef ? { inputRef } : {})}
      {...rest}
    />
  )
}

/** What is no whole number is none: the field then says so. */
function read(text: string): number {
  return /^\d{1,9}$/.test(text.trim()) ? Number(text) : 0
}
