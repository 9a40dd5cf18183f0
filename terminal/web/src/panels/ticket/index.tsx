/** Not built yet. */

import { registerPanel } from '../../workspace/panels'

function Panel() {
  return <section data-panel="ticket" />
}

registerPanel({ id: 'ticket', title: 'Order ticket', icon: 'ticket', component: Panel })
