from tts.contract import PcmAudio, Utterance, Voice
from tts.engines.fake import tone
from tts.gate import Gate, Verdict, worst_scores

TAKE = tone("a", seconds=1.0)
SAID = Utterance(text="a", language="en", voice=Voice(id="v", language="en"), expected_s=1.0)


class Says:
    def __init__(self, *reasons: str, **scores: float) -> None:
        self.asked = 0
        self._verdict = Verdict(reasons=reasons, scores=tuple(scores.items()))

    async def judge(self, _audio: PcmAudio, _utterance: Utterance) -> Verdict:
        self.asked += 1
        return self._verdict


async def test_a_take_passes_when_every_check_lets_it() -> None:
    verdict = await Gate([Says(gap_s=0.1), Says(cer=0.0)]).judge(TAKE, SAID)

    assert verdict == Verdict(scores=(("gap_s", 0.1), ("cer", 0.0)))
    assert verdict.passed


async def test_after_a_refusal_costlier_checks_are_not_asked() -> None:
    costly = Says(cer=0.0)

    verdict = await Gate([Says("silent", level_dbfs=-90.0), costly]).judge(TAKE, SAID)

    assert verdict == Verdict(reasons=("silent",), scores=(("level_dbfs", -90.0),))
    assert costly.asked == 0


def test_the_worst_score_of_all_segments_stays() -> None:
    takes = [(("cer", 0.1), ("similarity", 0.9)), (("cer", 0.3),), (("cer", 0.2), ("similarity", 0.8))]

    assert worst_scores(takes) == (("cer", 0.3), ("similarity", 0.8))


def test_no_takes_have_no_scores() -> None:
    assert worst_scores([]) == ()
