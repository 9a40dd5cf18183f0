/** What a panel shows instead of its content: loading, nothing, or what went wrong and how to try again. */

import type { ComponentChildren } from 'preact'

import { sentence } from '../api/rest'
import { Button } from './Button'

export function Loading({ what = 'Loading' }: { what?: string }) {
  return (
    <div class="note" role="status">
      <span class="spinner" aria-hidden="true" />
      <p>{what} …</p>
    </div>
  )
}

export function Empty({ title, children }: { title: string; children?: ComponentChildren }) {
  return (
    <div class="note">
      <p class="note-title">{title}</p>
      {children}
    </div>
  )
}

export function ErrorNote({ error, onRetry }: { error: unknown; onRetry?: () => void }) {
  return (
    <div class="note note-error" role="alert">
      <p>{typeof error === 'string' ? error : sentence(error)}</p>
      {onRetry && (
        <Button small onClick={onRetry}>
          Try again
        </Button>
      )}
    </div>
  )
}
