# SPDX-License-Identifier: Apache-2.0
"""Makes tests/golden/p5 of tests/golden/tiny_llama with transformers and torch.

Needs torch==2.11.0 and transformers==5.24.0. Run from the repository root:
    python tests/golden/make_p5_goldens.py

goldens.safetensors holds three prompts of random tokens,
  i.ids [T], i.words [T]     token ids and whole-word numbers
  i.asked [2]                tokens whose next one answers, click first
  answers [2, 3]             the answers; they are yes or no
  yes_no [2]                 the two ids
  whole_word [ROWS, width]   the table's first rows; no prompt has later ones
and for f, 0 and 1, of the lowest layers frozen (the table's vectors join the
stream above them; layers and vocabulary below do not learn):
  f.losses [2]               each task's mean cross entropy
  f.probabilities [3, 2]     P(yes) / (P(yes) + P(no)) of each prompt and task
  f.grad.NAME                d (sum of losses) / d NAME
"""
import pathlib

import torch
from safetensors.torch import save_file
from torch.nn.functional import cross_entropy
from transformers import AutoModelForCausalLM

OUT = pathlib.Path("tests/golden/p5")
ROWS, YES, NO = 24, 121, 110
GRADIENTS = ["model.norm.weight", "model.layers.1.self_attn.q_proj.weight",
             "model.layers.1.mlp.down_proj.weight", "model.layers.1.input_layernorm.weight"]
BELOW = ["model.embed_tokens.weight", "lm_head.weight", "model.layers.0.mlp.gate_proj.weight"]


def prompts():
    """(ids, words, asked): words of one to six tokens; the last two are questions."""
    generator = torch.Generator().manual_seed(17)
    draw = lambda low, high: int(torch.randint(low, high, (1,), generator=generator))
    out = []
    for count in (20, 7, 13):
        ids, words, ends = [], [], []
        for word in range(1, count + 1):
            for _ in range(draw(1, 7)):
                ids.append(draw(0, 250))
                words.append(word)
            ends.append(len(ids) - 1)
        out.append((ids, words, ends[-2:]))
    return out


def logits_of(model, table, prompt, frozen):
    """Logits [2, vocab] where the prompt asks."""
    ids, words, asked = prompt
    added = table[torch.tensor(words)][None]
    embedded = model.model.embed_tokens(torch.tensor([ids]))
    if frozen == 0:
        return model(inputs_embeds=embedded + added).logits[0, asked]

    def add(module, inputs, output):
        return output + added

    hook = model.model.layers[frozen - 1].register_forward_hook(add)
    logits = model(inputs_embeds=embedded).logits[0, asked]
    hook.remove()
    return logits


def main():
    model = AutoModelForCausalLM.from_pretrained(
        "tests/golden/tiny_llama", dtype=torch.float32, attn_implementation="eager").eval()
    generator = torch.Generator().manual_seed(29)
    table = (0.5 * torch.randn(ROWS, model.config.hidden_size, generator=generator)).requires_grad_()
    answers = torch.tensor([[YES, NO, YES], [NO, NO, YES]])
    goldens = {"answers": answers, "yes_no": torch.tensor([YES, NO]), "whole_word": table.detach()}
    for i, prompt in enumerate(prompts()):
        for name, value in zip(("ids", "words", "asked"), prompt):
            goldens[f"{i}.{name}"] = torch.tensor(value)
    parameters = dict(model.named_parameters()) | {"whole_word": table}
    for frozen in (0, 1):
        logits = torch.stack([logits_of(model, table, prompt, frozen) for prompt in prompts()])
        losses = torch.stack([cross_entropy(logits[:, task], answers[task]) for task in range(2)])
        said = logits[:, :, [YES, NO]].softmax(-1)[:, :, 0]
        names = GRADIENTS + ["whole_word"] + (BELOW if frozen == 0 else [])
        gradients = torch.autograd.grad(losses.sum(), [parameters[name] for name in names])
        goldens |= {f"{frozen}.losses": losses.detach(), f"{frozen}.probabilities": said.detach().contiguous()}
        goldens |= {f"{frozen}.grad.{name}": g for name, g in zip(names, gradients)}
        print(frozen, losses.tolist(), said.tolist())
    OUT.mkdir(parents=True, exist_ok=True)
    save_file(goldens, OUT / "goldens.safetensors")


if __name__ == "__main__":
    main()
