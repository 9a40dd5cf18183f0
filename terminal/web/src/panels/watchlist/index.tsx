/** Watchlists: several, each with live rows. */

import './watchlist.css'

import { registerPanel } from '../../workspace/panels'
import { WatchlistPanel } from './WatchlistPanel'

registerPanel({ id: 'watchlist', title: 'Watchlists', icon: 'watchlist', component: WatchlistPanel })
