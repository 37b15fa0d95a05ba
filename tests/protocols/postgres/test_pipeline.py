"""Whose answer is it? Conversations, as PostgreSQL's chapter 54.2 has them."""

import pytest

from proctor.errors import UpstreamError
from proctor.protocols.postgres.messages import Back, Front
from proctor.protocols.postgres.pipeline import Expected, Pipeline


def sent(*kinds: int) -> tuple[Pipeline, list[Expected]]:
    """A pipeline in which these are under way."""
    pipe, all_ = Pipeline(), [Expected(kind) for kind in kinds]
    for each in all_:
        assert pipe.sent(each)
    return pipe, all_


def doubtful(pipe: Pipeline) -> bool:
    return pipe.doubtful


EXTENDED = (Front.PARSE, Front.BIND, Front.DESCRIBE, Front.EXECUTE, Front.SYNC)


def test_the_extended_protocol_is_answered_in_order() -> None:
    pipe, (parse, bind, describe, execute, sync) = sent(*EXTENDED)
    conversation = [
        (Back.PARSE_COMPLETE, parse, True),
        (Back.BIND_COMPLETE, bind, True),
        (Back.ROW_DESCRIPTION, describe, True),
        (Back.DATA_ROW, execute, False),
        (Back.COMMAND_COMPLETE, execute, True),
        (Back.READY, sync, True),
    ]
    for kind, expected, ends in conversation:
        assert pipe.answer(kind) == (expected, ends)
    assert len(pipe) == 0
    assert pipe.synced


def test_a_query_goes_on_until_the_server_is_ready() -> None:
    pipe, (query,) = sent(Front.QUERY)
    for kind in (
        Back.ROW_DESCRIPTION,
        Back.DATA_ROW,
        Back.COMMAND_COMPLETE,
        Back.EMPTY_QUERY,
        Back.COPY_OUT,
        Back.COPY_DATA,
        Back.COPY_DONE,
        Back.COMMAND_COMPLETE,
    ):
        assert pipe.answer(kind) == (query, False)
    assert pipe.answer(Back.READY) == (query, True)


def test_what_comes_in_one_piece_is_noted_as_one_after_another_is() -> None:
    pieces = tuple(Expected(kind) for kind in (Front.BIND, Front.EXECUTE, Front.SYNC))
    one, other = Pipeline(), Pipeline()
    one.begun(pieces)
    for each in pieces:
        other.sent(each)
    assert one.synced
    assert one.clear() == other.clear() == list(pieces)


def test_what_no_sync_has_ended_is_open_though_it_is_answered() -> None:
    pipe, _ = sent(Front.PARSE)
    pipe.answer(Back.PARSE_COMPLETE)
    assert (pipe.synced, pipe.open) == (True, True)
    pipe.begun((Expected(Front.BIND), Expected(Front.EXECUTE), Expected(Front.SYNC)))
    assert (pipe.synced, pipe.open) == (True, False)
    for kind, left in ((Front.BIND, True), (Front.SYNC, False), (Front.QUERY, False)):
        assert pipe.sent(Expected(kind))
        assert pipe.open is left


@pytest.mark.parametrize(("first", "left"), [(Front.EXECUTE, True), (Front.QUERY, False)])
def test_a_sync_that_copy_throws_away_ends_nothing(first: int, left: bool) -> None:  # noqa: FBT001 - a case
    pipe, _ = sent(first, Front.SYNC)
    assert not pipe.open
    pipe.answer(Back.COPY_IN)
    assert pipe.open is left
    pipe.sent(Expected(Front.SYNC))
    assert pipe.open is left
    pipe.ask()
    assert not pipe.open


def test_after_an_error_nothing_is_answered_until_sync() -> None:
    pipe, (parse, bind, _, execute, sync) = sent(*EXTENDED)
    pipe.answer(Back.PARSE_COMPLETE)
    head, thrown = pipe.failed()
    assert head is bind
    assert execute in thrown
    assert parse not in thrown
    assert not pipe.skipping
    assert pipe.answer(Back.READY) == (sync, True)


def test_what_is_sent_before_sync_after_an_error_is_not_sent() -> None:
    pipe, _ = sent(Front.PARSE)
    pipe.failed()
    assert pipe.skipping
    assert not pipe.sent(Expected(Front.BIND))
    assert not pipe.sent(Expected(Front.QUERY))
    sync = Expected(Front.SYNC)
    assert pipe.sent(sync)
    assert pipe.answer(Back.READY) == (sync, True)
    assert pipe.sent(Expected(Front.BIND))


def test_an_error_of_a_query_is_followed_by_ready() -> None:
    pipe, (query,) = sent(Front.QUERY)
    assert pipe.failed() == (query, [])
    assert pipe.answer(Back.READY) == (query, True)


def test_an_error_at_sync_belongs_to_it() -> None:
    pipe, (sync,) = sent(Front.SYNC)
    assert pipe.failed() == (sync, [])
    assert pipe.answer(Back.READY) == (sync, True)


def test_an_error_out_of_nothing_belongs_to_nothing() -> None:
    assert Pipeline().failed() == (None, [])


def test_copy_in_swallows_syncs() -> None:
    pipe, (execute, _) = sent(Front.EXECUTE, Front.SYNC)
    assert pipe.answer(Back.COPY_IN) == (execute, False)
    assert pipe.taking
    assert pipe.sent(Expected(Front.SYNC))
    assert not doubtful(pipe), "it takes data still"
    pipe.took()
    assert doubtful(pipe)
    sync = Expected(Front.SYNC)
    assert pipe.sent(sync)
    assert pipe.answer(Back.COMMAND_COMPLETE) == (execute, True)
    assert not doubtful(pipe)
    assert pipe.answer(Back.READY) == (sync, True)
    assert len(pipe) == 0


@pytest.mark.parametrize("first", [Front.EXECUTE, Front.QUERY])
@pytest.mark.parametrize("honoured", range(3))
@pytest.mark.parametrize("seen", range(3))
def test_a_copy_that_fails_may_have_swallowed_syncs(first: int, honoured: int, seen: int) -> None:
    """Two were sent within it: as many as are answered, before we ask or after, the client sees."""
    pipe, (head, _) = sent(first, Front.SYNC)
    pipe.answer(Back.COPY_IN)
    pipe.sent(Expected(Front.SYNC))
    assert pipe.failed() == (head, [])
    if first == Front.QUERY:
        assert pipe.answer(Back.READY) == (head, True)
    seen = min(seen, honoured)
    told = [pipe.answer(Back.READY)[0] for _ in range(seen)]
    assert doubtful(pipe) == (seen < 2)
    if doubtful(pipe):
        pipe.ask()
        answers = [pipe.answer(Back.READY)[0] for _ in range(honoured - seen + 1)]
        assert sum(each.ours for each in answers) == 1
        told += [each for each in answers if not each.ours]
        assert pipe.answer(Back.CLOSE_COMPLETE)[1]
        assert not doubtful(pipe)
        assert pipe.answer(Back.READY)[0].ours
    assert len(told) == honoured
    assert len(pipe) == 0
    assert pipe.skipping == (first == Front.EXECUTE and not honoured)


def test_a_sync_that_copy_cannot_have_read_is_answered_after_all() -> None:
    pipe, _ = sent(Front.EXECUTE)
    pipe.answer(Back.COPY_IN)
    pipe.sent(Expected(Front.SYNC))
    pipe.took()
    assert pipe.sent(sync := Expected(Front.SYNC))
    pipe.failed()
    assert pipe.answer(Back.READY) == (sync, True)
    pipe.ask()
    assert [pipe.answer(kind)[0].ours for kind in (Back.READY, Back.CLOSE_COMPLETE)] == [True] * 2
    assert pipe.answer(Back.READY)[0].ours
    with pytest.raises(UpstreamError):
        pipe.answer(Back.READY)


def test_what_stands_behind_a_sync_is_kept_with_it() -> None:
    """If COPY fails before it reads them, both are answered; else the connection ends."""
    pipe, (_, sync, parse, _) = sent(Front.EXECUTE, Front.SYNC, Front.PARSE, Front.SYNC)
    pipe.answer(Back.COPY_IN)
    pipe.failed()
    assert not doubtful(pipe)
    assert pipe.answer(Back.READY) == (sync, True)
    assert pipe.answer(Back.PARSE_COMPLETE) == (parse, True)


def test_an_error_ends_copy_in() -> None:
    pipe, (execute,) = sent(Front.EXECUTE)
    pipe.answer(Back.COPY_IN)
    assert pipe.failed() == (execute, [])
    assert not pipe.taking
    assert pipe.skipping


@pytest.mark.parametrize("kind", sorted(Back.ALL - {Back.ERROR}))
def test_what_nothing_asked_for_ends_the_connection(kind: int) -> None:
    with pytest.raises(UpstreamError) as caught:
        Pipeline().answer(kind)
    assert caught.value.code == "pg-out-of-step"


@pytest.mark.parametrize(
    ("asked", "kind"),
    [
        (Front.PARSE, Back.BIND_COMPLETE),
        (Front.BIND, Back.DATA_ROW),
        (Front.DESCRIBE, Back.COMMAND_COMPLETE),
        (Front.EXECUTE, Back.ROW_DESCRIPTION),
        (Front.EXECUTE, Back.READY),
        (Front.SYNC, Back.DATA_ROW),
        (Front.CLOSE, Back.PARSE_COMPLETE),
        (Front.QUERY, Back.NO_DATA),
    ],
)
def test_an_answer_to_something_else_ends_the_connection(asked: int, kind: int) -> None:
    pipe, _ = sent(asked)
    with pytest.raises(UpstreamError):
        pipe.answer(kind)


def test_what_is_left_is_told_at_the_end() -> None:
    pipe, all_ = sent(*EXTENDED)
    assert pipe.head is all_[0]
    assert pipe.running
    assert pipe.expects(all_[2])
    assert pipe.clear() == all_
    assert not pipe.running


def test_what_is_ours_is_not_theirs() -> None:
    pipe = Pipeline()
    assert pipe.sent(Expected(Front.PARSE, ours=True))
    assert not pipe.theirs
    assert pipe.sent(Expected(Front.QUERY))
    assert pipe.theirs
