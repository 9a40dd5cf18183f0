/** A labelled control with its hint and its mistake, joined for screen readers. */

import type { ComponentChildren, InputHTMLAttributes, Ref } from 'preact'
import { useUniqueId } from './uniqueId'

interface Frame {
  label: string
  hint?: string | undefined
  error?: string | undefined
  /** The label is read out but not shown. */
  hideLabel?: boolean
}

interface Control<Element extends HTMLElement> {
  value?: string | undefined
  name?: string
  disabled?: boolean
  required?: boolean
  autofocus?: boolean
  onValue?: (value: string) => void
  onKeyDown?: (event: KeyboardEvent) => void
  onBlur?: (event: FocusEvent) => void
  onFocus?: (event: FocusEvent) => void
  inputRef?: Ref<Element>
}

export interface FieldProps extends Frame, Control<HTMLInputElement> {
  type?: 'text' | 'password' | 'number' | 'search' | 'date'
  placeholder?: string
  inputMode?: 'text' | 'numeric' | 'decimal' | 'search'
  autocomplete?: string
  min?: string | number
  max?: string | number
  step?: string | number
  maxLength?: number
}

export function Field({ label, hint, error, hideLabel, onValue, inputRef, ...input }: FieldProps) {
  const id = useUniqueId()
  return (
    <FieldFrame id={id} label={label} hint={hint} error={error} hideLabel={hideLabel}>
      <input
        id={id}
        ref={inputRef}
        class="input"
        autocomplete="off"
        aria-invalid={Boolean(error)}
        aria-describedby={hint || error ? `${id}-note` : undefined}
        onInput={(event) => onValue?.(event.currentTarget.value)}
        {...(input as InputHTMLAttributes)}
      />
    </FieldFrame>
  )
}

export interface SelectProps extends Frame, Control<HTMLSelectElement> {
  options: readonly (readonly [value: string, text: string])[]
}

export function Select({ label, hint, error, hideLabel, options, onValue, inputRef, ...select }: SelectProps) {
  const id = useUniqueId()
  return (
    <FieldFrame id={id} label={label} hint={hint} error={error} hideLabel={hideLabel}>
      <select
        id={id}
        ref={inputRef}
        class="input"
        aria-invalid={Boolean(error)}
        aria-describedby={hint || error ? `${id}-note` : undefined}
        onChange={(event) => onValue?.(event.currentTarget.value)}
        {...select}
      >
        {options.map(([value, text]) => (
          <option key={value} value={value} selected={value === select.value}>
            {text}
          </option>
        ))}
      </select>
    </FieldFrame>
  )
}

export interface CheckProps {
  label: string
  checked: boolean
  onValue: (checked: boolean) => void
  disabled?: boolean
}

export function Check({ label, checked, onValue, disabled }: CheckProps) {
  return (
    <label class="check">
      <input
        type="checkbox"
        checked={checked}
        disabled={disabled}
        onChange={(event) => onValue(event.currentTarget.checked)}
      />
      {label}
    </label>
  )
}

function FieldFrame({ id, label, hint, error, hideLabel, children }: Frame & { id: string; children: ComponentChildren }) {
  return (
    <div class="field">
      <label for={id} class={hideLabel ? 'unseen' : 'field-label'}>
        {label}
      </label>
      {children}
      {(error || hint) && (
        <p id={`${id}-note`} class={error ? 'field-error' : 'field-hint'}>
          {error ?? hint}
        </p>
      )}
    </div>
  )
}
