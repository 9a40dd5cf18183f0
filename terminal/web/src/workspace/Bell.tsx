/** The bell: what was told since the page was opened. */

import { time } from '../format/time'
import { onExchangeClock } from '../state/marketStatus'
import { notifications, readAll, unread, type Told } from '../state/notifications'
import { select } from '../state/selection'
import { Icon } from '../ui/Icon'
import { Empty } from '../ui/Notes'
import { Popover } from '../ui/Popover'

export function Bell() {
  const face = (
    <>
      <Icon name="bell" />
      {unread.value > 0 && <span class="badge">{unread.value}</span>}
    </>
  )
  return (
    <Popover label="Notifications" class="icon-button" title="Notifications" button={face} onOpen={readAll}>
      {(close) =>
        notifications.value.length ? (
          <ul>
            {notifications.value.map((told) => (
              <li key={told.id}>
                <Line told={told} close={close} />
              </li>
            ))}
          </ul>
        ) : (
          <Empty title="Nothing yet. Fills, refusals and alerts are told here." />
        )
      }
    </Popover>
  )
}

function Line({ told, close }: { told: Told; close: () => void }) {
  const choose = () => {
    if (told.instrument) select(told.instrument)
    close()
  }
  return (
    <button type="button" class={`menu-item notice tone-${told.tone}`} onClick={choose}>
      <span class="toast-text">
        <b>{told.title}</b>
        {told.text}
      </span>
      <small>{time(onExchangeClock(told.at))}</small>
    </button>
  )
}
