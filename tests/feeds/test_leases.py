"""One process holds a lease; a dead holder is followed at once, a silent one when its term is over."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.db.models import F

from feeds.leases import Holder, LeaseKeeper, LeaseLost
from feeds.models import Lease

ELSEWHERE = Holder("another-host", 4242, 1000)


def expire(name: str) -> None:
    Lease.objects.filter(name=name).update(expires_at=F("expires_at") - timedelta(hours=1))


@pytest.fixture
def process():
    """A living process of this host that does nothing."""
    child = subprocess.Popen(["sleep", "60"])
    yield child
    child.kill()
    child.wait(10)


@pytest.mark.django_db
def test_the_first_takes_it_and_the_second_does_not() -> None:
    first, second = LeaseKeeper("feed one"), LeaseKeeper("feed one", ELSEWHERE)
    assert first.acquire()
    assert not second.acquire()
    assert (first.epoch, second.epoch) == (1, 0)
    first.renew()


@pytest.mark.django_db
def test_leases_of_other_names_are_apart() -> None:
    assert LeaseKeeper("feed one").acquire()
    assert LeaseKeeper("feed two", ELSEWHERE).acquire()


@pytest.mark.django_db
def test_an_expired_lease_is_taken_with_the_next_epoch_and_the_old_holder_learns_of_it() -> None:
    stale, fresh = LeaseKeeper("feed one", ELSEWHERE), LeaseKeeper("feed one")
    stale.acquire()
    expire("feed one")
    assert fresh.acquire()
    assert fresh.epoch == 2
    with pytest.raises(LeaseLost):
        stale.renew()
    assert stale.epoch == 0
    stale.release()
    fresh.renew()


@pytest.mark.django_db
def test_an_expired_lease_that_nobody_took_is_renewed_in_its_epoch() -> None:
    keeper = LeaseKeeper("feed one")
    keeper.acquire()
    expire("feed one")
    keeper.renew()
    assert keeper.epoch == 1
    assert not LeaseKeeper("feed one", ELSEWHERE).acquire()


@pytest.mark.django_db
def test_a_released_lease_is_free_at_once() -> None:
    keeper = LeaseKeeper("feed one", ELSEWHERE)
    keeper.acquire()
    keeper.release()
    successor = LeaseKeeper("feed one")
    assert successor.acquire()
    assert successor.epoch == 2


@pytest.mark.django_db
def test_a_living_process_of_this_host_keeps_it_even_when_stopped(process: subprocess.Popen) -> None:
    process.send_signal(signal.SIGSTOP)
    assert LeaseKeeper("feed one", holder_of(process)).acquire()
    assert not LeaseKeeper("feed one").acquire()


@pytest.mark.django_db
def test_a_killed_process_of_this_host_is_followed_at_once(process: subprocess.Popen) -> None:
    LeaseKeeper("feed one", holder_of(process)).acquire()
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # dead, not yet collected: a zombie
    successor = LeaseKeeper("feed one")
    assert successor.acquire()
    assert successor.epoch == 2


@pytest.mark.django_db
def test_a_pid_given_out_again_is_not_the_holder(process: subprocess.Popen) -> None:
    holder = holder_of(process)
    LeaseKeeper("feed one", Holder(holder.host, holder.pid, holder.started - 1)).acquire()
    assert LeaseKeeper("feed one").acquire()


@pytest.mark.django_db(transaction=True)
def test_of_many_at_once_one_takes_it() -> None:
    keepers = [LeaseKeeper("feed one", Holder("another-host", pid, 1)) for pid in range(8)]
    taken: list[LeaseKeeper] = []

    def acquire(keeper: LeaseKeeper) -> None:
        if keeper.acquire():
            taken.append(keeper)
        connection.close()

    threads = [threading.Thread(target=acquire, args=(keeper,)) for keeper in keepers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert [keeper.epoch for keeper in taken] == [1]
    assert Lease.objects.get(name="feed one").holder == str(taken[0].holder)


def holder_of(process: subprocess.Popen) -> Holder:
    here = Holder.this_process()
    with open(f"/proc/{process.pid}/stat", encoding="ascii") as stat:
        return Holder(here.host, process.pid, int(stat.read().rpartition(")")[2].split()[19]))
