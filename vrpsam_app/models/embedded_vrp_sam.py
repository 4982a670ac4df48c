"""The embedded model: a small VRP-SAM on one shared backbone.

It keeps the published order - reference features and marks make visual prompts, prompts and the
target's embedding make a mask in SAM's decoder - and differs in four things: one convolutional
backbone serves SAM and the semantics; the pseudo-mask is a classifier solved in closed form; that
pseudo-mask is also SAM's mask prompt and the floor of the answer; early features join the
decoder's upscaling.

Where a reference is marked throughout, a fit with curved borders, chosen by how well it does on
parts of the reference, is heard beside the network. The level at which an answer is cut is chosen
by its contours in the target and, where everything was marked, by how each level does on the
reference. A small U-Net then corrects what does not look like objects.

========================  =========================================  =====================
step                      shape                                      once per
========================  =========================================  =====================
``encode_images``         (B, 3, H, W) -> :class:`ImageEmbedding`    image
``encode_reference``      marks (B, 3, H, W) -> `ReferenceEncoding`  annotated reference
``fit_together``          -> :class:`CurvedFits`                     class
``decode``                -> :class:`DecoderOutput`, (B, 1, H/2, W/2)  target and class
========================  =========================================  =====================
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from vrpsam_app.config import ModelConfig
from vrpsam_app.models.closed_form_prior import ClosedFormPrior
from vrpsam_app.models.conv_image_encoder import CLASSIFIER, ConvImageEncoder
from vrpsam_app.models.curved_prior import CurvedPrior, Samples, joined
from vrpsam_app.models.cut_head import CutHead
from vrpsam_app.models.dense_encoder import DENSE, DenseEncoder
from vrpsam_app.models.detail_branch import DetailBranch
from vrpsam_app.models.embedded_records import CurvedFits, ImageEmbedding, ReferenceEncoding
from vrpsam_app.models.embeddings import DecoderOutput, PromptTensors, TensorRecord
from vrpsam_app.models.feature_augmenter import FeatureAugmenter, masked_average_pool
from vrpsam_app.models.filter_bank import CHANNELS as BANK_CHANNELS
from vrpsam_app.models.foreground import best_cosine, sample_foreground
from vrpsam_app.models.frozen_sam import FrozenSAM
from vrpsam_app.models.level_facts import (
    LEVELS,
    OWN_FACTS,
    TOLD_FACTS,
    level_facts,
    level_values,
    with_own,
)
from vrpsam_app.models.mask_refiner import MaskRefiner
from vrpsam_app.models.prompt_generator import PromptGenerator
from vrpsam_app.models.quality_facts import DenseEvidence, Drawing, quality_facts
from vrpsam_app.models.quality_head import QualityHead
from vrpsam_app.models.resize import pool_mask, resize_bilinear
from vrpsam_app.models.vrp_sam import VRPSAM, require_object

CURVED_CHOICE = 40.0
"""How sharply the better of two curved fits is preferred; high enough to be a choice mostly."""

DENSE_SHARE = 0.7
"""Weight of what dense features alone say beside the network's answer."""

CURVED_SHARE = 2.0
"""Weight of the curved fits beside the network's answer, in scores of its own prior."""

REFINED_SHARE = 0.7
"""Of what the refiner would change: it knows best the kinds of pictures that it was taught on."""

KNOWN = 0.3
"""With known background on more of a picture than this, everything of its kind is marked."""


class EmbeddedVRPSAM(VRPSAM[ImageEmbedding, ReferenceEncoding]):
    """Shared backbone, closed-form priors, VRP encoder, SAM's decoder."""

    embedding_type = ImageEmbedding
    fits_together = True

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        dim, encoder = config.sam.prompt_dim, config.vrp_encoder
        # Nothing is frozen while it is trained from nothing: there is no foundation model below.
        self.sam = FrozenSAM(config.sam, image_encoder=ConvImageEncoder(config.sam)).unfreeze()
        self.prior = ClosedFormPrior(CLASSIFIER)
        # Taught by themselves, see `vrpsam_app.training.dense_training`.
        self.dense_encoder.requires_grad_(False)
        self.dense_prior = ClosedFormPrior(DENSE).requires_grad_(False)
        self.curved = CurvedPrior(CLASSIFIER, width=0.5, samples=4096)
        self.curved_texture = CurvedPrior(BANK_CHANNELS + DENSE, width=0.7, samples=8192)
        self.augmenter = FeatureAugmenter(
            dim, encoder.hidden_dim, dropout=encoder.dropout, mask_gain=encoder.mask_gain
        )
        self.generator = PromptGenerator(encoder.hidden_dim, encoder.num_queries, encoder.num_heads)
        self.detail = DetailBranch(2 * config.sam.width, dim)
        # The answer starts at the prior, which works untrained; the decoder grows into it.
        self.decoder_scale = nn.Parameter(torch.tensor(0.1))
        # Fitted when all else has learned: see `cut_fitting`, `refiner_fitting`, `quality_fitting`.
        self.cut_head = CutHead().requires_grad_(False)
        self.told_cut_head = CutHead(TOLD_FACTS).requires_grad_(False)
        self.refiner = MaskRefiner().requires_grad_(False)
        self.quality_head = QualityHead()

    @property
    def dense_encoder(self) -> DenseEncoder:
        """The encoder that was taught names, a part of the image encoder."""
        encoder: Any = self.sam.image_encoder
        dense: DenseEncoder = encoder.dense
        return dense

    def output_hw(self, input_hw: tuple[int, int]) -> tuple[int, int]:
        """Size of the decoder's output grid for an input: stride 2."""
        return input_hw[0] // 2, input_hw[1] // 2

    def encode_images(self, images: Tensor) -> ImageEmbedding:
        """Encode images (B, 3, H, W) in [0, 1]; H and W multiples of 32."""
        return ImageEmbedding(*self.sam.image_encoder(images))

    def encode_reference(
        self, embedding: ImageEmbedding, marks: Tensor, is_box: Tensor
    ) -> ReferenceEncoding:
        """Encode annotated references; see :meth:`VRPSAM.encode_reference`."""
        fine_hw = (embedding.classifier.shape[-2], embedding.classifier.shape[-1])
        coarse_hw = (embedding.semantic.shape[-2], embedding.semantic.shape[-1])
        fine_marks = pool_mask(marks, fine_hw)
        positive, certain, _ = pool_mask(fine_marks, coarse_hw).split(1, 1)
        reduced = self.augmenter.reduce(embedding.semantic)
        prototype = masked_average_pool(reduced, positive)
        # Unmarked cells are 0: neither object nor background.
        augmented = self.augmenter(reduced, prototype, positive - certain)
        equations = self.prior.fit(embedding.classifier, fine_marks, is_box)
        encoding = ReferenceEncoding(
            equations=equations,
            dense_equations=self.dense_prior.fit(embedding.halved_dense(), fine_marks, is_box),
            tokens=self.generator.reference_half(augmented),
            prototype=prototype,
            foreground=sample_foreground(reduced, positive, self.config.vrp_encoder.max_foreground),
            has_object=equations.has_positive,
            exhaustive=(certain.mean((1, 2, 3)) > KNOWN).float() * equations.has_positive,
            samples=self.curved.sample(embedding.classifier, fine_marks),
            texture_samples=self.curved_texture.sample(
                embedding.finest(), pool_mask(marks, _hw(embedding.texture))
            ),
            own=marks.new_zeros(len(marks), LEVELS, OWN_FACTS),
        )
        return replace(encoding, own=self._own(embedding, encoding, marks))

    @torch.no_grad()
    def _own(self, embedding: ImageEmbedding, encoding: ReferenceEncoding, marks: Tensor) -> Tensor:
        """Cut each reference's answer about itself at every level; 0 unless marked throughout."""
        if torch.compiler.is_exporting():  # a graph cannot leave out what nobody needs
            own = self._own_facts(embedding, encoding, marks)
            return own * encoding.exhaustive[:, None, None]
        own = encoding.own.clone()
        which = encoding.exhaustive.nonzero()[:, 0]
        if len(which) and not self.learns_masks:
            own[which] = self._own_facts(embedding.take(which), encoding.take(which), marks[which])
        return own

    def _own_facts(
        self, embedding: ImageEmbedding, encoding: ReferenceEncoding, marks: Tensor
    ) -> Tensor:
        logits = self.uncut(embedding, [encoding], self.fit_together([encoding]))
        marked, certain, _ = pool_mask(marks, _hw(logits)).split(1, 1)
        values = level_values(logits, (marked > 0.5).float(), (marked + certain > 0.5).float())
        return torch.cat([self.level_facts(logits, embedding), values[..., None]], 2)

    @torch.no_grad()
    def fit_together(self, references: Sequence[ReferenceEncoding]) -> CurvedFits:
        """Fit the curved priors where something is marked throughout; see :meth:`VRPSAM.decode`."""
        return self.fit_samples(
            [r.samples for r in references],
            [r.texture_samples for r in references],
            torch.stack([r.exhaustive for r in references]),
            torch.stack([r.own for r in references]),
        )

    def fit_samples(
        self,
        samples: Sequence[Samples],
        texture_samples: Sequence[Samples],
        throughout: Tensor,
        own: Tensor,
    ) -> CurvedFits:
        """Fit the curved priors.

        Parameters
        ----------
        samples, texture_samples : one for each reference
        throughout, own : shape (references, B) and (references, B, LEVELS, OWN_FACTS)
            `exhaustive` and `own` of each.
        """
        exhaustive = throughout.amax(0)
        weight = throughout / throughout.sum(0).clamp_min(1)
        own = (own * weight[..., None, None]).sum(0)
        priors = (self.curved, samples), (self.curved_texture, texture_samples)
        if torch.compiler.is_exporting():  # a graph cannot leave out what nobody needs
            every = [prior.fit(joined(cells)) for prior, cells in priors]
            learned, fixed = (f._replace(quality=f.quality * exhaustive) for f in every)
        else:
            which = exhaustive.nonzero()[:, 0]
            learned, fixed = (prior.fit_some(cells, which) for prior, cells in priors)
        return CurvedFits(learned, fixed, exhaustive, own)

    def decode(
        self,
        target: ImageEmbedding,
        references: Sequence[ReferenceEncoding],
        prompts: PromptTensors | None = None,
        *,
        visual_prompts: bool = True,
        together: TensorRecord | None = None,
    ) -> DecoderOutput:
        """Find the references' object in each target; see :meth:`VRPSAM.decode`.

        "Not this" references take part in the closed-form fit only.
        """
        showing = [r for r in references if bool(r.has_object.any())]
        require_object(showing)
        drawing = self._draw(target, references, showing, prompts, visual_prompts)
        logits = drawing.logits
        told = torch.zeros_like(drawing.margin)[:, None].expand(-1, 2)
        if not self.learns_masks:
            fits = together if isinstance(together, CurvedFits) else self.fit_together(references)
            logits = self._cut(drawing, target, fits)
            more = self.refiner(self._seen(logits, drawing, target, fits)).to(logits.dtype)
            logits = logits + REFINED_SHARE * more
            told = torch.stack([fits.exhaustive, fits.own[..., -1].amax(1)], 1)
        facts = quality_facts(logits, drawing, told)
        quality = self.quality_head(facts)
        return DecoderOutput(
            mask_logits=logits,
            score=torch.sigmoid(quality[:, 0]),
            presence=torch.sigmoid(quality[:, 1]),
            pseudo_mask=drawing.prior_logits.sigmoid(),
        )

    def _draw(
        self,
        target: ImageEmbedding,
        references: Sequence[ReferenceEncoding],
        showing: Sequence[ReferenceEncoding],
        prompts: PromptTensors | None = None,
        visual_prompts: bool = True,
    ) -> Drawing:
        """Let the network answer; `showing` are the references that mark an object."""
        equations = references[0].equations
        for other in references[1:]:
            equations = equations + other.equations
        score = self.prior.score(target.classifier, equations)  # (B, 1, h4, w4)
        prior_logits = self.prior.logits(score, equations)
        reduced = self.augmenter.reduce(target.semantic)
        coarse_hw = _hw(reduced)
        pseudo = pool_mask(prior_logits.sigmoid(), coarse_hw)
        tokens = [
            self.generator.target_half(r.tokens, self.augmenter(reduced, r.prototype, pseudo))
            for r in showing
            if visual_prompts
        ]
        cosine = best_cosine(reduced, [r.foreground for r in showing])
        evidence = torch.cat([score, resize_bilinear(cosine, _hw(score), align_corners=False)], 1)
        mid, fine, local = self.detail(target.mid_detail, target.fine_detail, evidence)
        coarse = resize_bilinear(prior_logits + local, _hw(target.fine_detail), align_corners=False)
        prompts = prompts or PromptTensors()
        mask_prompt = coarse if prompts.mask_logits is None else prompts.mask_logits
        clicks, prompted = self.sam.prompt(
            prompts.points_xy,
            prompts.point_labels,
            prompts.boxes_xyxy,
            mask_prompt.clamp(-8, 8),
            grid_hw=coarse_hw,
        )
        decoded = self.sam.decode_masks(
            target.embedding,
            torch.cat([*tokens, clicks], 1),
            prompted,
            upscale_skips=(mid, fine),
        )
        return Drawing(
            logits=coarse + self.decoder_scale * decoded.mask_logits[:, :1],
            coarse=coarse,
            prior_logits=prior_logits,
            score=score,
            cosine=cosine,
            margin=self.prior.margin(equations),
            cells=equations.cells,
            dense=self._dense_evidence(target, references),
        )

    def _cut(self, drawing: Drawing, target: ImageEmbedding, fits: CurvedFits) -> Tensor:
        logits = self._with_fits(drawing, target, fits)
        return logits - self._level(logits, target, fits)

    def _with_fits(self, drawing: Drawing, target: ImageEmbedding, fits: CurvedFits) -> Tensor:
        """Add to the network's answer what the fits beside it say."""
        dense = self._dense_logits(drawing)
        curved = CURVED_SHARE * self.prior.gain * self._curved_score(target, fits)
        return drawing.logits + curved + DENSE_SHARE * dense

    def _dense_logits(self, drawing: Drawing) -> Tensor:
        logits = self.dense_prior.logits(drawing.dense.score, drawing.dense.equations)
        return resize_bilinear(logits, _hw(drawing.logits), align_corners=False)

    @torch.no_grad()
    def _dense_evidence(
        self, target: ImageEmbedding, references: Sequence[ReferenceEncoding]
    ) -> DenseEvidence:
        """Fit dense features of the references, and score the targets'."""
        equations = references[0].dense_equations
        for other in references[1:]:
            equations = equations + other.dense_equations
        features = target.halved_dense()
        score = self.dense_prior.score(features, equations)
        margin = self.dense_prior.margin(equations)
        return DenseEvidence(features, equations, score, margin)

    @property
    def learns_masks(self) -> bool:
        """Whether a training step changes masks, which are then answered without what is fitted."""
        return self.training and self.decoder_scale.requires_grad

    def level_facts(self, logits: Tensor, target: ImageEmbedding) -> Tensor:
        """Describe the levels at which an answer could be cut; see :func:`level_facts`."""
        return level_facts(logits, target.colours(), target.dense)

    def _level(self, logits: Tensor, target: ImageEmbedding, fits: CurvedFits) -> Tensor:
        """Return the logits' level where objects end, (B, 1, 1, 1)."""
        facts = self.level_facts(logits, target)
        open_ended = self.cut_head(facts)
        told = self.told_cut_head(with_own(facts, fits.own))
        level = torch.where(fits.exhaustive > 0, told, open_ended)
        return level[:, None, None, None]

    def _seen(
        self, logits: Tensor, drawing: Drawing, target: ImageEmbedding, fits: CurvedFits
    ) -> Tensor:
        """Return what the refiner looks at; see :meth:`MaskRefiner.describe`."""
        cosine = resize_bilinear(drawing.cosine, _hw(logits), align_corners=False)
        answers = logits, drawing.logits, self._dense_logits(drawing), drawing.coarse, cosine
        features = target.colours().float(), target.dense.float()
        return self.refiner.describe(torch.cat(answers, 1).float(), *features, fits.exhaustive)

    @torch.no_grad()
    def uncut(
        self, target: ImageEmbedding, references: Sequence[ReferenceEncoding], fits: CurvedFits
    ) -> Tensor:
        """Answer without a cut, and without what corrects one, to teach the heads for levels."""
        return self._with_fits(self._draw(target, references, references), target, fits)

    @torch.no_grad()
    def unrefined(
        self,
        target: ImageEmbedding,
        references: Sequence[ReferenceEncoding],
        prompts: PromptTensors | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Answer without the refiner, to teach it.

        Returns
        -------
        logits : shape (B, 1, h2, w2)
        seen : shape (B, INPUTS, h2, w2)
            What :class:`MaskRefiner` is called with.
        """
        drawing = self._draw(target, references, references, prompts)
        fits = self.fit_together(references)
        logits = self._cut(drawing, target, fits)
        return logits, self._seen(logits, drawing, target, fits)

    def _curved_score(self, target: ImageEmbedding, fits: CurvedFits) -> Tensor:
        """Score targets by the two curved fits, (B, 1, h2, w2); 0 where none could be fitted."""
        qualities = torch.stack([fits.learned.quality, fits.fixed.quality], 1)
        quality = qualities.amax(1)
        if torch.compiler.is_exporting():
            usable = (quality > 0).float()[:, None, None, None]
            return usable * self._weighed_score(target, fits, qualities)
        score = quality.new_zeros((len(quality), 1, *_hw(target.texture)))
        which = quality.nonzero()[:, 0]
        if len(which):
            some = target.take(which), fits.take(which), qualities[which]
            score[which] = self._weighed_score(*some)
        return score

    def _weighed_score(self, target: ImageEmbedding, fits: CurvedFits, qualities: Tensor) -> Tensor:
        learned = self.curved.score(target.classifier, fits.learned)
        fixed = self.curved_texture.score(target.finest(), fits.fixed)
        shares = (CURVED_CHOICE * qualities).softmax(1)[..., None, None]
        learned = resize_bilinear(learned, _hw(target.texture), align_corners=False)
        return (torch.cat([learned, fixed], 1) * shares).sum(1, keepdim=True)


def _hw(maps: Tensor) -> tuple[int, int]:
    return maps.shape[-2], maps.shape[-1]
