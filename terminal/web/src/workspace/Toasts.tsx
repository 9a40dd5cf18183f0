/** Notifications for a moment, below right. */

import { dismiss, toasts, type Told } from '../state/notifications'
import { select } from '../state/selection'
import { IconButton } from '../ui/Icon'

export function Toasts() {
  return (
    <div class="toasts" role="log" aria-live="polite" aria-label="Notifications">
      {toasts.value.map((toast) => (
        <Toast key={toast.id} toast={toast} />
      ))}
    </div>
  )
}

function Toast({ toast }: { toast: Told }) {
  const chosen = () => {
    if (toast.instrument) select(toast.instrument)
    dismiss(toast.id)
  }
  return (
    <div class={`toast tone-${toast.tone}`} data-toast={toast.tone}>
      <div class="toast-text" onClick={chosen}>
        <b>{toast.title}</b>
        {toast.text}
      </div>
      <IconButton icon="close" name="Dismiss" onClick={() => dismiss(toast.id)} />
    </div>
  )
}
