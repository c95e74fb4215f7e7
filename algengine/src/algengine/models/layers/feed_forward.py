"""The two-layer feed-forward block with residual and norm that every transformer layer here ends with."""

from __future__ import annotations

from torch import Tensor, nn


class FeedForward(nn.Module):
    """Post-norm residual block: `norm(x + W2 relu(W1 x))`.

    Args:
        dims: channels.
        hidden: channels of the hidden layer.
        dropout: after each linear layer.
        norm: kind of layer norm.
    """

    def __init__(
        self, dims: int, hidden: int, dropout: float = 0.0, norm: type[nn.LayerNorm] = nn.LayerNorm
    ) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(dims, hidden),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(hidden, dims),
            nn.Dropout(dropout),
        )
        self.norm = norm(dims)

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's output, same shape as `x` (..., dims)."""
        return self.norm(x + self.layers(x))
