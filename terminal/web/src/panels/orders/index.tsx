/** Not built yet. */

import { registerPanel } from '../../workspace/panels'

function Panel() {
  return <section data-panel="orders" />
}

registerPanel({ id: 'orders', title: 'Orders', icon: 'orders', component: Panel })
