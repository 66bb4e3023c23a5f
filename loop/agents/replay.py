"""
An agent that repeats the proposals of a recorded run, round by round: to show a run, and to test the loop without a
model.
"""

import json
from pathlib import Path

import numpy as np
from pydantic import TypeAdapter, ValidationError

from arena.errors import ArenaError
from loop.protocol import AgentError, Proposal, State, Tried

_PROPOSAL = TypeAdapter(Proposal)


class Replay:
    """
    Answers round n with the proposal in the n-th file of `transcript`, a folder such as user_data/runs/<run>. It costs
    nothing, whatever the recorded run paid. Raises ArenaError if there is nothing to play back.
    """

    def __init__(self, transcript: Path) -> None:
        self.name, self.transcript = f"replay:{transcript.name}", transcript
        if not self._file(1).is_file():
            raise ArenaError(
                f"{transcript} holds no {self._file(1).name}: it is no transcript of a run. They lie in "
                f"user_data/runs/."
            )

    def propose(self, state: State) -> Proposal:
        file = self._file(state.round)
        if state.problems:
            raise AgentError(f"{file.name} of the transcript cannot be played here: {state.problems[0]}")
        try:
            recorded = _PROPOSAL.validate_json(json.dumps(json.loads(file.read_bytes())["proposal"]))
        except FileNotFoundError:
            return Proposal(end="the transcript has no further round")
        except (OSError, ValueError, KeyError, TypeError, ValidationError) as error:
            raise AgentError(
                f"{file.name} of the transcript cannot be read: {' '.join(str(error).split())[:200]}"
            ) from None
        if not recorded.changes:
            raise AgentError(f"{file.name} of the transcript holds a round that was skipped")
        return Proposal(
            recorded.changes, recorded.learnings, record={"transcript": str(file), "recorded": recorded.record}
        )

    def resume(self, history: tuple[Tried, ...], rng: np.random.Generator) -> None:
        """Does nothing: the round's number says where to go on."""

    def _file(self, number: int) -> Path:
        return self.transcript / f"{number:04d}.json"
